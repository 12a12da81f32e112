import { TIMESTAMP_STYLES, type TimestampStyle, UNIX_MAX_S } from "./timestamps.ts";

/** A piece of a line. Text is never markup: it is shown as it stands. */
export type Inline =
  | { type: "text"; text: string }
  | { type: "break" }
  | { type: "bold" | "italic" | "underline" | "strike" | "spoiler"; children: Inline[] }
  | { type: "code"; text: string }
  | { type: "link"; href: string; children: Inline[] }
  | { type: "timestamp"; unix: number; style: TimestampStyle }
  | Mention
  | { type: "command"; name: string; id: string }
  | { type: "emoji"; name: string };

export interface Mention {
  type: "user" | "role" | "channel";
  id: string;
}

/** Deepest nesting of formats; what lies deeper is shown as text. */
const DEPTH_MAX = 12;

const MASKED_LINK = /\[((?:\\.|\[[^[\]]*\]|[^[\]\\])+)\]\(\s*<?(https?:\/\/[^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+"[^"]*")?\s*\)/y;
const BARE_LINK = /https?:\/\/[^\s<]*[^\s<.,:;"')\]]/y;
const ANGLE: readonly [RegExp, (match: RegExpExecArray) => Inline | null][] = [
  [/<t:(-?\d{1,15})(?::([a-zA-Z]))?>/y, (match) => timestamp(Number(match[1]), match[2])],
  [/<@!?(\d{1,20})>/y, (match) => ({ type: "user", id: match[1] ?? "" })],
  [/<@&(\d{1,20})>/y, (match) => ({ type: "role", id: match[1] ?? "" })],
  [/<#(\d{1,20})>/y, (match) => ({ type: "channel", id: match[1] ?? "" })],
  [/<\/([-_'\p{L}\p{N} ]{1,100}):(\d{1,20})>/uy, (match) => ({ type: "command", name: match[1] ?? "", id: match[2] ?? "" })],
  [/<a?:(\w{2,32}):\d{1,20}>/y, (match) => ({ type: "emoji", name: match[1] ?? "" })],
  [/<(https?:\/\/[^\s<>]+)>/y, (match) => link(match[1] ?? "", [{ type: "text", text: match[1] ?? "" }])],
];

/** Delimiters, longest first. */
const FORMATS = [
  ["**", "bold"],
  ["__", "underline"],
  ["~~", "strike"],
  ["||", "spoiler"],
  ["*", "italic"],
  ["_", "italic"],
] as const;

/** Reads Discord's markdown within a paragraph, title or field name. */
export function parseInline(source: string, depth = 0): Inline[] {
  const out: Inline[] = [];
  let text = "";
  let at = 0;
  const flush = () => {
    if (text !== "") out.push({ type: "text", text });
    text = "";
  };
  while (at < source.length) {
    const found = tokenAt(source, at, depth);
    if (found === null) {
      text += source[at];
      at += 1;
    } else if (found.node.type === "text") {
      text += found.node.text;
      at = found.end;
    } else {
      flush();
      out.push(found.node);
      at = found.end;
    }
  }
  flush();
  return out;
}

/** The words of a piece of markdown without its formats, for labels. `mention` tells what stands for an id. */
export function plainText(nodes: readonly Inline[], mention: (node: Mention) => string = () => ""): string {
  return nodes
    .map((node) => {
      if (node.type === "text" || node.type === "code") return node.text;
      if (node.type === "break") return " ";
      if (node.type === "user" || node.type === "role" || node.type === "channel") return mention(node);
      if (node.type === "command") return `/${node.name}`;
      return "children" in node ? plainText(node.children, mention) : "";
    })
    .join("");
}

interface Token {
  node: Inline;
  end: number;
}

function tokenAt(source: string, at: number, depth: number): Token | null {
  switch (source[at]) {
    case "\\":
      return escaped(source, at);
    case "\n":
      return { node: { type: "break" }, end: at + 1 };
    case "`":
      return code(source, at);
    case "<":
      return angle(source, at);
    case "[":
      return masked(source, at, depth);
    case "h":
      return bare(source, at);
    case "*":
    case "_":
    case "~":
    case "|":
      return depth < DEPTH_MAX ? formatted(source, at, depth) : null;
    default:
      return null;
  }
}

function escaped(source: string, at: number): Token | null {
  const next = source[at + 1];
  if (next === undefined || /[0-9A-Za-z\s]/.test(next)) return null;
  const whole = String.fromCodePoint(source.codePointAt(at + 1) ?? 0);
  return { node: { type: "text", text: whole }, end: at + 1 + whole.length };
}

function code(source: string, at: number): Token {
  const end = codeEnd(source, at);
  const ticks = runLength(source, at);
  // Ticks without an end are text, all of them: none of them may begin another span.
  if (end === null) return { node: { type: "text", text: source.slice(at, at + ticks) }, end: at + ticks };
  const inner = source.slice(at + ticks, end - ticks);
  return { node: { type: "code", text: inner.replace(/^ (?=`)|(?<=`) $/g, "") }, end };
}

/** Index behind the code span that begins here, or null when it is never closed. */
function codeEnd(source: string, at: number): number | null {
  const ticks = runLength(source, at);
  for (let index = at + ticks; index < source.length; ) {
    if (source[index] !== "`") {
      index += 1;
      continue;
    }
    const run = runLength(source, index);
    if (run === ticks && index > at + ticks) return index + run;
    index += run;
  }
  return null;
}

function runLength(source: string, at: number): number {
  const char = source[at];
  let end = at;
  while (source[end] === char) end += 1;
  return end - at;
}

function angle(source: string, at: number): Token | null {
  for (const [pattern, make] of ANGLE) {
    const match = stickyMatch(pattern, source, at);
    if (match === null) continue;
    const node = make(match);
    if (node !== null) return { node, end: at + match[0].length };
  }
  return null;
}

function masked(source: string, at: number, depth: number): Token | null {
  const match = stickyMatch(MASKED_LINK, source, at);
  if (match === null) return null;
  const [whole, label = "", href = ""] = match;
  const node = link(href, parseInline(label, Math.max(depth + 1, DEPTH_MAX - 2)));
  return node === null ? null : { node, end: at + whole.length };
}

function bare(source: string, at: number): Token | null {
  const match = stickyMatch(BARE_LINK, source, at);
  if (match === null || /\w/.test(source[at - 1] ?? "")) return null;
  const node = link(match[0], [{ type: "text", text: match[0] }]);
  return node === null ? null : { node, end: at + match[0].length };
}

/** Only web addresses become links, whatever a message says. */
export function webAddress(href: string): string | null {
  if (!URL.canParse(href)) return null;
  const url = new URL(href);
  return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
}

function link(href: string, children: Inline[]): Inline | null {
  const address = webAddress(href);
  return address === null ? null : { type: "link", href: address, children };
}

function timestamp(unix: number, style = "f"): Inline | null {
  const known = TIMESTAMP_STYLES.find((one) => one === style);
  return known === undefined || Math.abs(unix) > UNIX_MAX_S ? null : { type: "timestamp", unix, style: known };
}

function formatted(source: string, at: number, depth: number): Token | null {
  for (const [mark, type] of FORMATS) {
    if (!source.startsWith(mark, at)) continue;
    const from = at + mark.length;
    if (mark.length === 1 && !mayOpen(source, at)) continue;
    const end = closing(source, from, mark);
    const inner = end === null ? "" : source.slice(from, end);
    // A row of marks, as a drawn line, formats nothing.
    if (end === null || /^[*_~|]*$/.test(inner)) continue;
    return { node: { type, children: parseInline(inner, depth + 1) }, end: end + mark.length };
  }
  return null;
}

/** `2 * 3` and `snake_case_name` are no italics. */
function mayOpen(source: string, at: number): boolean {
  if (source[at] === "*") return /\S/.test(source[at + 1] ?? " ");
  return !isWord(source[at - 1]);
}

/** Index of the mark that ends a format, past escapes and code. */
function closing(source: string, from: number, mark: string): number | null {
  const char = mark.charAt(0);
  for (let index = from; index < source.length; ) {
    const here = source[index];
    if (here === "\\") {
      index += 2;
    } else if (here === "`") {
      index = codeEnd(source, index) ?? index + runLength(source, index);
    } else if (here !== char) {
      index += 1;
    } else {
      const run = runLength(source, index);
      // Of `***` the last marks end the outer format: `***both***`.
      if (mark.length === 2 && run >= 2) return index + run - 2;
      if (mark.length === 1 && run % 2 === 1) {
        const last = index + run - 1;
        if (mayClose(source, last)) return last;
      }
      index += run;
    }
  }
  return null;
}

function mayClose(source: string, at: number): boolean {
  if (source[at] === "*") return /\S/.test(source[at - 1] ?? " ");
  return !isWord(source[at + 1]);
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /[\p{L}\p{N}_]/u.test(char);
}

function stickyMatch(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}
