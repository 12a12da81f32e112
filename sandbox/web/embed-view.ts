import "@skyra/discord-components-core/discord-embed.js";
import "@skyra/discord-components-core/discord-embed-description.js";
import "@skyra/discord-components-core/discord-embed-field.js";
import "@skyra/discord-components-core/discord-embed-fields.js";
import "@skyra/discord-components-core/discord-embed-footer.js";
import type { APIEmbed } from "discord-api-types/v10";
import { h } from "./dom.ts";
import { fieldColumns } from "./field-columns.ts";
import { inlineNodes, markdownNodes, type Names } from "./markdown-view.ts";
import { messageTime } from "./timestamps.ts";

/** An embed for the `embeds` slot of a message. Title and field names stand in the light DOM, because Discord reads markdown in them. */
export function embedElement(embed: APIEmbed, names: Names): HTMLElement {
  const attributes = {
    slot: "embeds",
    // Keeps its width while live edits change its words.
    class: (embed.fields ?? []).length > 0 ? "wide" : null,
    color: embed.color === undefined ? null : `#${embed.color.toString(16).padStart(6, "0")}`,
    "author-name": embed.author?.name,
    "author-url": embed.author?.url,
    thumbnail: embed.thumbnail?.url,
    image: embed.image?.url,
  };
  return h(
    "discord-embed",
    attributes,
    titleElement(embed, names),
    embed.description === undefined
      ? null
      : h("discord-embed-description", { slot: "description" }, ...markdownNodes(embed.description, names)),
    fieldsElement(embed, names),
    footerElement(embed),
  );
}

function titleElement({ title, url }: APIEmbed, names: Names): HTMLElement | null {
  if (title === undefined) return null;
  const words = inlineNodes(title, names);
  const inner = url === undefined ? words : [h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...words)];
  return h("div", { slot: "description", class: "embed-title" }, ...inner);
}

function fieldsElement({ fields = [] }: APIEmbed, names: Names): HTMLElement | null {
  if (fields.length === 0) return null;
  const columns = fieldColumns(fields.map((field) => field.inline === true));
  const elements = fields.map(({ name, value }, index) => {
    const field = h(
      "discord-embed-field",
      {},
      h("div", { class: "field-name" }, ...inlineNodes(name, names)),
      ...markdownNodes(value, names),
    );
    field.style.gridColumn = columns[index] ?? "";
    return field;
  });
  return h("discord-embed-fields", { slot: "fields" }, ...elements);
}

function footerElement({ footer, timestamp }: APIEmbed): HTMLElement | null {
  const time = timestamp === undefined ? [] : [messageTime(Date.parse(timestamp), Date.now())];
  const words = [...(footer === undefined ? [] : [footer.text]), ...time];
  return words.length === 0 ? null : h("discord-embed-footer", { slot: "footer" }, words.join(" • "));
}
