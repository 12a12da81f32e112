import "@skyra/discord-components-core/discord-embed.js";
import "@skyra/discord-components-core/discord-embed-description.js";
import "@skyra/discord-components-core/discord-embed-field.js";
import "@skyra/discord-components-core/discord-embed-fields.js";
import "@skyra/discord-components-core/discord-embed-footer.js";
import { h, hexColor } from "./dom.ts";
import { type MentionContext, renderMarkdown, renderText, renderTitle } from "./markdown-dom.ts";
import { webAddress } from "./markdown-inline.ts";
import { messageTime } from "./timestamps.ts";
import type { Embed, EmbedField } from "./types.ts";

/** Inline fields in a row, as in Discord. */
const FIELDS_IN_ROW = 3;

/**
 * One embed. Author, title and field names are elements of our own in the component's slots, since its attributes take plain text only
 * and look for emoji on Discord's servers.
 */
export function embedElement(embed: Embed, context: MentionContext): HTMLElement {
  const color = embed.color === undefined ? undefined : hexColor(embed.color);
  return h(
    "discord-embed",
    { slot: "embeds", "data-testid": "embed", color, image: ownPicture(embed.image?.url), thumbnail: ownPicture(embed.thumbnail?.url) },
    embed.author === undefined ? null : authorLine(embed.author),
    embed.title === undefined ? null : titleLine(embed.title, embed.url, context),
    embed.description === undefined
      ? null
      : h("discord-embed-description", { slot: "description" }, ...renderMarkdown(embed.description, context)),
    embed.fields === undefined || embed.fields.length === 0 ? null : fieldGrid(embed.fields, context),
    embed.footer === undefined && embed.timestamp === undefined ? null : footerLine(embed),
  );
}

function authorLine({ name, url }: { name: string; url?: string }): HTMLElement {
  return h("div", { slot: "description", class: "embed-author" }, linked(renderText(name), url));
}

function titleLine(title: string, url: string | undefined, context: MentionContext): HTMLElement {
  return h("div", { slot: "description", class: "embed-title" }, linked(renderTitle(title, context), url));
}

function linked(words: Node[], url: string | undefined): HTMLElement {
  const href = url === undefined ? null : webAddress(url);
  return href === null ? h("span", {}, ...words) : h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...words);
}

function fieldGrid(fields: readonly EmbedField[], context: MentionContext): HTMLElement {
  return h(
    "discord-embed-fields",
    { slot: "fields" },
    ...fields.map((field, index) => fieldElement(field, columnOf(fields, index), context)),
  );
}

function fieldElement({ name, value, inline }: EmbedField, column: number, context: MentionContext): HTMLElement {
  return h(
    "discord-embed-field",
    inline === true ? { inline: true, "inline-index": column } : {},
    h("div", { class: "embed-field-name" }, ...renderTitle(name, context)),
    h("div", { class: "embed-field-value" }, ...renderMarkdown(value, context)),
  );
}

/** 1 to 3: place of an inline field in its row. A field that is not inline begins a new row. */
export function columnOf(fields: readonly EmbedField[], index: number): number {
  let before = 0;
  while (before < index && fields[index - before - 1]?.inline === true) before += 1;
  return (before % FIELDS_IN_ROW) + 1;
}

function footerLine({ footer, timestamp }: Embed): HTMLElement {
  const time = timestamp === undefined ? "" : messageTime(Date.parse(timestamp), { now: Date.now() });
  const text = [footer?.text ?? "", time].filter((part) => part !== "").join(" • ");
  return h("discord-embed-footer", { slot: "footer" }, h("span", {}, ...renderText(text)));
}

/** Pictures from elsewhere are not fetched: the page works without a network. */
function ownPicture(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url, location.href)) return undefined;
  return new URL(url, location.href).origin === location.origin ? url : undefined;
}
