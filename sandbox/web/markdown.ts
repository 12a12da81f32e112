import type { TimestampStyle } from "./timestamps.ts";

/** Discord's markdown as a tree. The view makes text nodes of its texts, so that nothing in them can become HTML. */
export type Inline =
  | { kind: "text"; text: string }
  | { kind: "break" }
  | { kind: "bold" | "italic" | "underline" | "strike" | "spoiler"; children: Inline[] }
  | { kind: "code"; text: string }
  | { kind: "link"; url: string; children: Inline[] }
  | { kind: "time"; at: number; style: TimestampStyle }
  | { kind: "mention"; of: "user" | "channel" | "role"; id: string }
  | { kind: "mention"; of: "everyone"; id: "everyone" | "here" }
  | { kind: "command"; name: string };

export type Block =
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "heading"; level: 1 | 2 | 3; children: Inline[] }
  | { kind: "small"; children: Inline[] }
  | { kind: "quote"; children: Block[] }
  | { kind: "list"; ordered: boolean; start: number; items: { depth: number; children: Inline[] }[] }
  | { kind: "code-block"; language: string; text: string };

/** Nested styles beyond this depth stay text: a message has 2,000 characters, its tree must not be as deep. */
const DEPTH_MAX = 12;

const FENCE = /^```(?:([\w+#.-]{1,20})\n)?([\s\S]*?)\n?```/u;
const HEADING = /^(#{1,3}) +(.+)$/u;
const ITEM = /^( *)(?:[-*]|(\d{1,9})\.) +(.+)$/u;

/** Reads a whole text. */
export function parseMarkdown(source: string): Block[] {
  return parseBlocks(source.replaceAll("\r\n", "\n"), true);
}

/** Reads one line's worth, as titles and field names are: styles and mentions, no blocks. */
export function parseInline(source: string): Inline[] {
  return new InlineParser(source, 0).parse();
}

function parseBlocks(source: string, quotes: boolean): Block[] {
  const blocks: Block[] = [];
  let paragraph: string[] = [];
  const flush = () => {
    if (paragraph.length > 0) blocks.push({ kind: "paragraph", children: parseInline(paragraph.join("\n")) });
    paragraph = [];
  };
  let rest = source;
  while (rest !== "") {
    const fence = FENCE.exec(rest);
    if (fence !== null) {
      flush();
      blocks.push({ kind: "code-block", language: fence[1] ?? "", text: (fence[2] ?? "").replace(/^\n/u, "") });
      rest = rest.slice(fence[0].length).replace(/^\n/u, "");
      continue;
    }
    const { line, after } = firstLine(rest);
    rest = after;
    if (quotes && line.startsWith(">>> ")) {
      flush();
      blocks.push({ kind: "quote", children: parseBlocks(rest === "" ? line.slice(4) : `${line.slice(4)}\n${rest}`, false) });
      return blocks;
    }
    if (quotes && /^> /u.test(line)) {
      flush();
      const quoted = [line.slice(2)];
      for (let next = firstLine(rest); /^> /u.test(next.line); next = firstLine(rest)) {
        quoted.push(next.line.slice(2));
        rest = next.after;
      }
      blocks.push({ kind: "quote", children: parseBlocks(quoted.join("\n"), false) });
      continue;
    }
    const block = headingOf(line);
    if (block !== null) {
      flush();
      blocks.push(block);
      continue;
    }
    const item = ITEM.exec(line);
    if (item !== null) {
      flush();
      addItem(blocks, item);
      continue;
    }
    paragraph.push(line);
  }
  flush();
  return blocks;
}

/** A line and what follows it. A code block may begin in the middle of a line, so the line ends before it. */
function firstLine(rest: string): { line: string; after: string } {
  const newline = rest.indexOf("\n");
  const end = newline === -1 ? rest.length : newline;
  const fence = rest.slice(0, end).indexOf("```");
  if (fence > 0 && rest[fence - 1] !== "\\" && FENCE.test(rest.slice(fence)))
    return { line: rest.slice(0, fence), after: rest.slice(fence) };
  return { line: rest.slice(0, end), after: rest.slice(end + 1) };
}

function headingOf(line: string): Block | null {
  const heading = HEADING.exec(line);
  if (heading !== null) return { kind: "heading", level: (heading[1] ?? "#").length as 1 | 2 | 3, children: parseInline(heading[2] ?? "") };
  if (line.startsWith("-# ")) return { kind: "small", children: parseInline(line.slice(3)) };
  return null;
}

function addItem(blocks: Block[], item: RegExpExecArray): void {
  const [, indent = "", number, text = ""] = item;
  const depth = Math.min(3, Math.floor(indent.length / 2));
  const last = blocks.at(-1);
  const list =
    last?.kind === "list" && (last.ordered === (number !== undefined) || depth > 0)
      ? last
      : { kind: "list" as const, ordered: number !== undefined, start: Number(number ?? 1), items: [] };
  if (list !== last) blocks.push(list);
  list.items.push({ depth, children: parseInline(text) });
}

const STYLED = [
  { mark: "**", kind: "bold" },
  { mark: "__", kind: "underline" },
  { mark: "~~", kind: "strike" },
  { mark: "||", kind: "spoiler" },
  { mark: "*", kind: "italic" },
  { mark: "_", kind: "italic" },
] as const;

const ESCAPABLE = /^\\([^\p{L}\p{N}\s])/u;
const CODE = /^(`+)([\s\S]*?[^`])\1(?!`)/u;
const TIME = /^<t:(-?\d{1,13})(?::([RfFtTdD]))?>/u;
const MENTION = /^<(@!?|@&|#)(\d{1,20})>/u;
const COMMAND = /^<\/([\w -]{1,100}):\d{1,20}>/u;
const EVERYONE = /^@(everyone|here)\b/u;
const LINK = /^\[((?:[^\]\\\n]|\\.){1,300})\]\(<?(https?:\/\/[^\s)>]{1,500})>?\)/u;
const URL_TEXT = /^<?(https?:\/\/[^\s<>]{1,500})>?/u;
/** Text that nothing below can begin in. */
const PLAIN = /^[^\\`<@[*_~|\nh]+/u;

class InlineParser {
  readonly #source: string;
  readonly #depth: number;
  readonly #out: Inline[] = [];

  constructor(source: string, depth: number) {
    this.#source = source;
    this.#depth = depth;
  }

  parse(): Inline[] {
    for (let at = 0; at < this.#source.length; ) at += this.#one(this.#source.slice(at), this.#source[at - 1] ?? "");
    return this.#out;
  }

  /** Takes what stands first and returns its length. */
  #one(rest: string, before: string): number {
    const plain = PLAIN.exec(rest)?.[0];
    if (plain !== undefined) return this.#text(plain);
    if (rest.startsWith("\n")) return this.#push({ kind: "break" }, 1);
    const escaped = ESCAPABLE.exec(rest);
    if (escaped !== null) {
      this.#text(escaped[1] ?? "");
      return escaped[0].length;
    }
    const code = CODE.exec(rest);
    if (code !== null) return this.#push({ kind: "code", text: (code[2] ?? "").replace(/^ (.*`.*) $/u, "$1") }, code[0].length);
    return this.#reference(rest) ?? this.#styled(rest, before) ?? this.#text(rest.charAt(0));
  }

  #reference(rest: string): number | null {
    const time = TIME.exec(rest);
    if (time !== null) {
      return this.#push({ kind: "time", at: Number(time[1]) * 1000, style: (time[2] ?? "f") as TimestampStyle }, time[0].length);
    }
    const mention = MENTION.exec(rest);
    if (mention !== null) {
      const of = mention[1] === "#" ? "channel" : mention[1] === "@&" ? "role" : "user";
      return this.#push({ kind: "mention", of, id: mention[2] ?? "" }, mention[0].length);
    }
    const command = COMMAND.exec(rest);
    if (command !== null) return this.#push({ kind: "command", name: command[1] ?? "" }, command[0].length);
    const everyone = EVERYONE.exec(rest);
    if (everyone !== null) {
      return this.#push({ kind: "mention", of: "everyone", id: everyone[1] === "here" ? "here" : "everyone" }, everyone[0].length);
    }
    const link = LINK.exec(rest);
    if (link !== null) return this.#push({ kind: "link", url: link[2] ?? "", children: this.#inner(link[1] ?? "") }, link[0].length);
    const address = URL_TEXT.exec(rest);
    if (address === null) return null;
    const wrapped = rest.startsWith("<");
    const url = wrapped ? (address[1] ?? "") : (address[1] ?? "").replace(/[.,:;!?'")\]*_~|]+$/u, "");
    const length = wrapped ? address[0].length : url.length;
    return this.#push({ kind: "link", url, children: [{ kind: "text", text: url }] }, length);
  }

  #styled(rest: string, before: string): number | null {
    if (this.#depth >= DEPTH_MAX) return null;
    for (const { mark, kind } of STYLED) {
      if (!rest.startsWith(mark)) continue;
      const end = closing(rest, mark);
      // Within a word, underscores are letters: snake_case_name.
      if (end === -1 || (mark === "_" && (/\w/u.test(before) || /\w/u.test(rest[end + 1] ?? "")))) continue;
      return this.#push({ kind, children: this.#inner(rest.slice(mark.length, end)) }, end + mark.length);
    }
    return null;
  }

  #inner(text: string): Inline[] {
    return new InlineParser(text, this.#depth + 1).parse();
  }

  #push(inline: Inline, length: number): number {
    this.#out.push(inline);
    return length;
  }

  #text(text: string): number {
    const last = this.#out.at(-1);
    if (last?.kind === "text") last.text += text;
    else this.#out.push({ kind: "text", text });
    return text.length;
  }
}

/** Where the mark closes that opens `rest`, or -1. Escapes and code in between do not count; there must be something in between. */
function closing(rest: string, mark: string): number {
  if (mark === "*" && /\s/u.test(rest[1] ?? " ")) return -1;
  if (mark.length === 1 && rest[1] === mark) return -1;
  for (let at = mark.length; at < rest.length; at += 1) {
    if (rest[at] === "\\") {
      at += 1;
      continue;
    }
    const code = rest[at] === "`" ? CODE.exec(rest.slice(at)) : null;
    if (code !== null) {
      at += code[0].length - 1;
      continue;
    }
    if (!rest.startsWith(mark, at) || at === mark.length) continue;
    if (mark.length === 1) {
      // A pair in between belongs to bold or underline.
      if (rest[at + 1] === mark) {
        const pair = rest.indexOf(mark + mark, at + 2);
        if (pair !== -1) {
          at = pair + 1;
          continue;
        }
      }
    } else if (rest[at + mark.length] === mark[0] && rest[at + mark.length + 1] !== mark[0]) at += 1;
    return at;
  }
  return -1;
}
