import { type Inline, parseInline } from "./markdown-inline.ts";

/** A block of a message's text, as Discord shows it. */
export type Block =
  | { type: "paragraph"; children: Inline[] }
  | { type: "heading"; level: 1 | 2 | 3; children: Inline[] }
  | { type: "subtext"; children: Inline[] }
  | { type: "quote"; children: Block[] }
  | { type: "code"; language: string; text: string }
  | { type: "list"; ordered: boolean; start: number; items: Block[][] };

const LIST_DEPTH_MAX = 8;

const HEADING = /^(#{1,3}) +(\S.*)$/;
const SUBTEXT = /^-# +(\S.*)$/;
const ITEM = /^( *)([-*]|\d{1,9}\.) +(.*)$/;
const FENCE = /```(?:([\w+#.-]{1,30})\n|\n)?([\s\S]*?)\n?```/y;

/**
 * Reads Discord's markdown: headings, subtext, lists, quotes, code blocks, and the formats within lines. What is not understood
 * stays text. The tree holds no markup, so that rendering it with text nodes cannot inject any.
 */
export function parseMarkdown(source: string): Block[] {
  return parseBlocks(source.replaceAll("\r\n", "\n"), { quoted: false, depth: 0 });
}

interface Context {
  quoted: boolean;
  depth: number;
}

/** What was read at a place, and where to go on. */
interface Taken {
  block: Block;
  end: number;
}

function parseBlocks(source: string, context: Context): Block[] {
  const blocks: Block[] = [];
  let lines: string[] = [];
  const flush = () => {
    const text = lines.join("\n");
    lines = [];
    if (text.trim() !== "") blocks.push({ type: "paragraph", children: parseInline(text) });
  };
  let at = 0;
  while (at < source.length) {
    const taken = blockAt(source, at, context);
    if (taken !== null) {
      flush();
      blocks.push(taken.block);
      at = taken.end;
      continue;
    }
    const lineEnd = endOfLine(source, at);
    const fence = fenceIn(source, at, lineEnd);
    if (fence === null) {
      lines.push(source.slice(at, lineEnd));
      at = lineEnd + 1;
      continue;
    }
    if (fence.from > at) lines.push(source.slice(at, fence.from));
    flush();
    blocks.push(fence.taken.block);
    at = fence.taken.end;
  }
  flush();
  return blocks;
}

/** A block that begins at the start of a line. */
function blockAt(source: string, at: number, context: Context): Taken | null {
  const end = endOfLine(source, at);
  const line = source.slice(at, end);
  if (!context.quoted && line.startsWith(">>> ")) {
    return { block: { type: "quote", children: parseBlocks(source.slice(at + 4), { ...context, quoted: true }) }, end: source.length };
  }
  if (!context.quoted && line.startsWith("> ")) return quote(source, at, context);
  const heading = HEADING.exec(line);
  if (heading !== null) {
    const level = (heading[1] ?? "#").length as 1 | 2 | 3;
    return { block: { type: "heading", level, children: parseInline(heading[2] ?? "") }, end: end + 1 };
  }
  const subtext = SUBTEXT.exec(line);
  if (subtext !== null) return { block: { type: "subtext", children: parseInline(subtext[1] ?? "") }, end: end + 1 };
  return ITEM.test(line) && context.depth < LIST_DEPTH_MAX ? list(source, at, context) : null;
}

function quote(source: string, from: number, context: Context): Taken {
  const lines: string[] = [];
  let at = from;
  while (at < source.length && source.startsWith("> ", at)) {
    const end = endOfLine(source, at);
    lines.push(source.slice(at + 2, end));
    at = end + 1;
  }
  return { block: { type: "quote", children: parseBlocks(lines.join("\n"), { ...context, quoted: true }) }, end: at };
}

/** A list goes on while lines are items of it or are indented below one. */
function list(source: string, from: number, context: Context): Taken {
  const first = ITEM.exec(source.slice(from, endOfLine(source, from)));
  const indent = first?.[1]?.length ?? 0;
  const marker = first?.[2] ?? "-";
  const ordered = isOrdered(marker);
  const items: string[][] = [];
  let at = from;
  while (at < source.length) {
    const end = endOfLine(source, at);
    const line = source.slice(at, end);
    const item = ITEM.exec(line);
    const depth = /^ */.exec(line)?.[0].length ?? 0;
    if (item !== null && depth < indent + 2) {
      if (depth < indent || isOrdered(item[2] ?? "") !== ordered) break;
      items.push([item[3] ?? ""]);
    } else if (line.trim() !== "" && depth >= indent + 2) {
      items.at(-1)?.push(line.slice(indent + 2));
    } else {
      break;
    }
    at = end + 1;
  }
  const children = items.map((lines) => parseBlocks(lines.join("\n"), { ...context, depth: context.depth + 1 }));
  return { block: { type: "list", ordered, start: ordered ? Number.parseInt(marker, 10) : 1, items: children }, end: at };
}

function isOrdered(marker: string): boolean {
  return marker.endsWith(".");
}

/** The first code block that opens in this line; it may end in a later one. */
function fenceIn(source: string, at: number, lineEnd: number): { from: number; taken: Taken } | null {
  const from = source.indexOf("```", at);
  if (from === -1 || from >= lineEnd || source[from - 1] === "\\") return null;
  FENCE.lastIndex = from;
  const match = FENCE.exec(source);
  if (match === null || (match[2] ?? "").trim() === "") return null;
  const end = from + match[0].length;
  const text = (match[2] ?? "").replace(/^\n+/, "");
  return { from, taken: { block: { type: "code", language: match[1] ?? "", text }, end: source[end] === "\n" ? end + 1 : end } };
}

function endOfLine(source: string, at: number): number {
  const end = source.indexOf("\n", at);
  return end === -1 ? source.length : end;
}
