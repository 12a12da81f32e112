import "@skyra/discord-components-core/discord-mention.js";
import { roleName } from "./completion.ts";
import { h, hexColor } from "./dom.ts";
import { type Cell, pieces } from "./glyphs.ts";
import { type Block, parseMarkdown } from "./markdown.ts";
import { type Inline, parseInline } from "./markdown-inline.ts";
import { timestampWords } from "./timestamps.ts";

/** Names behind the ids of mentions, and what a click on a command does. */
export interface MentionContext {
  userName(id: string): string | undefined;
  channelName(id: string): string | undefined;
  /** `color` is 0xRRGGBB, 0 for none. */
  role(id: string): { name: string; color: number } | undefined;
  useCommand(path: string): void;
}

/** Elements for a whole text: a message's content, a description, a field. */
export function renderMarkdown(source: string, context: MentionContext): Node[] {
  return renderBlocks(parseMarkdown(source), context);
}

/** Elements for a title or a field's name: formats, but no blocks. */
export function renderTitle(source: string, context: MentionContext): Node[] {
  return renderInline(parseInline(source), context);
}

/** Text with bars and status dots painted the same in every font. */
export function renderText(text: string): Node[] {
  return pieces(text).map((piece) => {
    if (piece.type === "text") return document.createTextNode(piece.text);
    if (piece.type === "bar") {
      return h("span", { class: "bar", role: "img", "aria-label": `${piece.percent} percent` }, ...piece.cells.map(cellElement));
    }
    const dot = h("span", { class: "dot" }, piece.char);
    dot.style.setProperty("--dot", piece.color);
    return dot;
  });
}

function cellElement({ char, shape, strength, width }: Cell): HTMLElement {
  const element = h("span", { class: `cell cell-${shape}` }, char);
  element.style.setProperty("--strength", String(strength));
  element.style.setProperty("--filled", `${width * 100}%`);
  return element;
}

function renderBlocks(blocks: readonly Block[], context: MentionContext): Node[] {
  return blocks.map((block) => renderBlock(block, context));
}

function renderBlock(block: Block, context: MentionContext): Node {
  switch (block.type) {
    case "paragraph":
      return h("div", { class: "md-paragraph" }, ...renderInline(block.children, context));
    case "heading":
      return h(
        "div",
        { class: `md-heading md-heading-${block.level}`, role: "heading", "aria-level": block.level + 2 },
        ...renderInline(block.children, context),
      );
    case "subtext":
      return h("small", { class: "md-subtext" }, ...renderInline(block.children, context));
    case "quote":
      return h("blockquote", { class: "md-quote" }, ...renderBlocks(block.children, context));
    case "code":
      return h("pre", { class: "md-pre" }, h("code", { "data-language": block.language || undefined }, ...renderText(block.text)));
    case "list": {
      const items = block.items.map((item) => h("li", {}, ...renderBlocks(item, context)));
      return block.ordered ? h("ol", { class: "md-list", start: block.start }, ...items) : h("ul", { class: "md-list" }, ...items);
    }
  }
}

const FORMAT_TAGS = { bold: "strong", italic: "em", underline: "u", strike: "s" } as const;

function renderInline(nodes: readonly Inline[], context: MentionContext): Node[] {
  return nodes.flatMap((node) => renderNode(node, context));
}

function renderNode(node: Inline, context: MentionContext): Node[] {
  switch (node.type) {
    case "text":
      return renderText(node.text);
    case "break":
      return [h("br")];
    case "bold":
    case "italic":
    case "underline":
    case "strike":
      return [h(FORMAT_TAGS[node.type], {}, ...renderInline(node.children, context))];
    case "spoiler":
      return [spoiler(renderInline(node.children, context))];
    case "code":
      return [h("code", { class: "md-code" }, ...renderText(node.text))];
    case "link":
      return [h("a", { href: node.href, target: "_blank", rel: "noopener noreferrer" }, ...renderInline(node.children, context))];
    case "timestamp":
      return [timeElement(node)];
    case "user":
      return [h("discord-mention", { type: "user" }, context.userName(node.id) ?? "unknown-user")];
    case "role":
      return [roleMention(context.role(node.id))];
    case "channel":
      return [h("discord-mention", { type: "channel" }, context.channelName(node.id) ?? "unknown")];
    case "command": {
      const mention = h("discord-mention", { type: "slash", role: "button", tabindex: 0 }, node.name);
      onPress(mention, () => context.useCommand(node.name));
      return [mention];
    }
    case "emoji":
      return [document.createTextNode(`:${node.name}:`)];
  }
}

function roleMention(role: { name: string; color: number } | undefined): HTMLElement {
  // The component puts the sign before the name itself.
  const { name, color } = role ?? { name: "unknown-role", color: 0 };
  return h("discord-mention", { type: "role", color: color === 0 ? undefined : hexColor(color) }, name.replace(/^@/u, ""));
}

/** A mention in plain words, where no element can stand. */
export function mentionWords({ type, id }: { type: "user" | "role" | "channel"; id: string }, context: MentionContext): string {
  if (type === "channel") return `#${context.channelName(id) ?? "unknown"}`;
  if (type === "role") return roleName(context.role(id)?.name ?? "unknown-role");
  return `@${context.userName(id) ?? "unknown-user"}`;
}

function spoiler(children: Node[]): HTMLElement {
  const element = h("span", { class: "md-spoiler", role: "button", tabindex: 0, "aria-label": "Spoiler" }, h("span", {}, ...children));
  onPress(element, () => {
    element.classList.add("md-spoiler-shown");
    element.removeAttribute("role");
  });
  return element;
}

function onPress(element: HTMLElement, run: () => void): void {
  element.addEventListener("click", run);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    run();
  });
}

function timeElement({
  unix,
  style,
}: { unix: number; style: "R" } | { unix: number; style: Parameters<typeof timestampWords>[1] }): HTMLElement {
  const element = h(
    "time",
    {
      class: "md-time",
      datetime: new Date(unix * 1000).toISOString(),
      title: timestampWords(unix, "F", { now: Date.now() }),
      "data-unix": style === "R" ? unix : undefined,
    },
    timestampWords(unix, style, { now: Date.now() }),
  );
  return element;
}

const TICK_MS = 1000;

/** Keeps all relative times of the page true. */
export function startTicking(): void {
  setInterval(() => {
    for (const element of document.querySelectorAll<HTMLElement>("time[data-unix]")) {
      const words = timestampWords(Number(element.dataset.unix), "R", { now: Date.now() });
      if (element.textContent !== words) element.textContent = words;
    }
  }, TICK_MS);
}
