import { h } from "./dom.ts";
import { type Block, type Inline, parseInline, parseMarkdown } from "./markdown.ts";
import { timestampWords } from "./timestamps.ts";

/** Names for the ids in mentions; null when unknown. */
export interface Names {
  user(id: string): string | null;
  channel(id: string): string | null;
}

/** A text with blocks, as DOM nodes. */
export function markdownNodes(source: string, names: Names): Node[] {
  return parseMarkdown(source).map((block) => blockNode(block, names));
}

/** A title or name, as DOM nodes. */
export function inlineNodes(source: string, names: Names): Node[] {
  return inlines(parseInline(source), names);
}

function blockNode(block: Block, names: Names): HTMLElement {
  switch (block.kind) {
    case "paragraph":
      return h("div", { class: "md-p" }, ...inlines(block.children, names));
    case "heading":
      return h(`h${block.level}`, { class: "md-h" }, ...inlines(block.children, names));
    case "small":
      return h("div", { class: "md-small" }, ...inlines(block.children, names));
    case "quote":
      return h("blockquote", { class: "md-quote" }, ...block.children.map((child) => blockNode(child, names)));
    case "code-block":
      return h("pre", { class: "md-pre" }, h("code", { "data-language": block.language === "" ? null : block.language }, block.text));
    case "list": {
      const items = block.items.map(({ depth, children }) => h("li", { class: `md-depth-${depth}` }, ...inlines(children, names)));
      return block.ordered ? h("ol", { class: "md-list", start: block.start }, ...items) : h("ul", { class: "md-list" }, ...items);
    }
  }
}

function inlines(all: readonly Inline[], names: Names): Node[] {
  return all.map((one) => inlineNode(one, names));
}

function inlineNode(one: Inline, names: Names): Node {
  switch (one.kind) {
    case "text":
      return textNode(one.text);
    case "break":
      return h("br");
    case "bold":
      return h("strong", {}, ...inlines(one.children, names));
    case "italic":
      return h("em", {}, ...inlines(one.children, names));
    case "underline":
      return h("u", {}, ...inlines(one.children, names));
    case "strike":
      return h("s", {}, ...inlines(one.children, names));
    case "spoiler":
      return spoiler(inlines(one.children, names));
    case "code":
      return h("code", { class: "md-code" }, one.text);
    case "link":
      return h("a", { href: one.url, target: "_blank", rel: "noopener noreferrer" }, ...inlines(one.children, names));
    case "time":
      return timeNode(one.at, one.style);
    case "command":
      return h("span", { class: "md-mention" }, `/${one.name}`);
    case "mention":
      return h("span", { class: "md-mention" }, mentionWords(one, names));
  }
}

const DOTS = { "🟢": "green", "🟡": "yellow", "🔴": "red", "🔵": "blue", "⚪": "white" } as const;
const DRAWN = new RegExp(`([▰▱]{4,}|${Object.keys(DOTS).join("|")})`, "u");

/**
 * Text, with two things drawn by the page itself because fonts differ: bars of block characters get one font for full and empty cells, and
 * coloured dots are shapes, as not every machine has a font with emoji. The characters stay in the text.
 */
function textNode(text: string): Node {
  const parts = text.split(DRAWN);
  if (parts.length === 1) return document.createTextNode(text);
  const fragment = document.createDocumentFragment();
  for (const part of parts) {
    if (/^[▰▱]/u.test(part)) fragment.append(h("span", { class: "md-bar" }, part));
    else if (part in DOTS) fragment.append(h("span", { class: `md-dot md-dot-${DOTS[part as keyof typeof DOTS]}` }, part));
    else fragment.append(part);
  }
  return fragment;
}

function mentionWords(mention: Extract<Inline, { kind: "mention" }>, names: Names): string {
  if (mention.of === "everyone") return `@${mention.id}`;
  if (mention.of === "user") return `@${names.user(mention.id) ?? "unknown-user"}`;
  if (mention.of === "channel") return `#${names.channel(mention.id) ?? "unknown"}`;
  return "@role";
}

function timeNode(at: number, style: Extract<Inline, { kind: "time" }>["style"]): HTMLElement {
  const date = new Date(at);
  const attributes = {
    class: "md-time",
    datetime: Number.isNaN(date.getTime()) ? null : date.toISOString(),
    title: Number.isNaN(date.getTime()) ? null : timestampWords(at, "F", Date.now()),
    "data-relative": style === "R" ? at : null,
  };
  return h("time", attributes, Number.isNaN(date.getTime()) ? "Invalid date" : timestampWords(at, style, Date.now()));
}

/** Brings relative times up to date. To be called about every second. */
export function tickTimes(root: ParentNode, now: number): void {
  for (const element of root.querySelectorAll<HTMLElement>("[data-relative]")) {
    const words = timestampWords(Number(element.dataset.relative), "R", now);
    if (element.textContent !== words) element.textContent = words;
  }
}

function spoiler(children: Node[]): HTMLElement {
  const element = h("span", { class: "md-spoiler", role: "button", tabindex: 0, "aria-label": "Spoiler" }, ...children);
  const show = () => element.classList.add("shown");
  element.addEventListener("click", show);
  element.addEventListener("keydown", (event) => event.key === "Enter" && show());
  return element;
}
