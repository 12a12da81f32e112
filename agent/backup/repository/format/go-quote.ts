/** Names as Go's strconv.Quote writes them, which restic uses for what need not be UTF-8, and Go's reading of UTF-8. */
import { isPrintable } from "./go-printable.ts";

const SHORT: Record<number, string> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};
const SHORT_CODES = new Map(Object.entries(SHORT).map(([code, text]) => [text.slice(1), Number(code)]));

/** Needs no escapes: printable ASCII without " and \. */
function isPlain(bytes: Uint8Array): boolean {
  // By index: an iterator makes an object for every byte.
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) return false;
  }
  return true;
}

/** Without the quotes around it. */
export function quote(name: Buffer): string {
  if (isPlain(name)) return name.toString("latin1");
  let text = "";
  for (let at = 0; at < name.length; ) {
    const { code, width } = characterAt(name, at);
    text += code === null ? `\\x${hex(name[at] ?? 0, 2)}` : quoteOne(code);
    at += width;
  }
  return text;
}

function quoteOne(code: number): string {
  const short = SHORT[code];
  if (short !== undefined) return short;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  if (code < 0x7f || isPrintable(code)) return String.fromCodePoint(code);
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");

const ESCAPE = /\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/y;

/** The bytes that were quoted; null when the text is no quoted text. */
export function unquote(text: string): Buffer | null {
  if (!text.includes("\\")) return text.includes('"') || text.includes("\n") ? null : Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at < text.length; ) {
    if (text[at] !== "\\") {
      const end = text.indexOf("\\", at);
      const piece = text.slice(at, end === -1 ? text.length : end);
      if (piece.includes('"') || piece.includes("\n")) return null;
      pieces.push(Buffer.from(piece));
      at += piece.length;
      continue;
    }
    ESCAPE.lastIndex = at;
    const match = ESCAPE.exec(text);
    const bytes = match === null ? null : unescapeOne(match);
    if (match === null || bytes === null) return null;
    pieces.push(bytes);
    at += match[0].length;
  }
  return Buffer.concat(pieces);
}

function unescapeOne([, short, byte, four, eight, octal]: RegExpExecArray): Buffer | null {
  if (short !== undefined) return Buffer.of(SHORT_CODES.get(short) ?? 0);
  if (byte !== undefined) return Buffer.of(Number.parseInt(byte, 16));
  if (octal !== undefined) return Number.parseInt(octal, 8) > 0xff ? null : Buffer.of(Number.parseInt(octal, 8));
  const code = Number.parseInt(four ?? eight ?? "", 16);
  return code > 0x10ffff || isSurrogate(code) ? null : Buffer.from(String.fromCodePoint(code));
}

const isSurrogate = (code: number) => code >= 0xd800 && code <= 0xdfff;

/** Smallest code point that needs so many bytes: a longer form of a smaller one is not valid. */
const SMALLEST = [0, 0, 0x80, 0x800, 0x10000];

/** The character that begins at a place; `code` is null for a byte that begins none, which is then passed over alone. */
export function characterAt(bytes: Buffer, at: number): { code: number | null; width: number } {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return { code: first, width: 1 };
  const width = first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 1;
  if (width === 1) return { code: null, width: 1 };
  let code = first & (0xff >> (width + 1));
  for (let next = at + 1; next < at + width; next += 1) {
    const byte = bytes[next] ?? 0;
    if ((byte & 0xc0) !== 0x80) return { code: null, width: 1 };
    code = (code << 6) | (byte & 0x3f);
  }
  const valid = code >= (SMALLEST[width] ?? 0) && code <= 0x10ffff && !isSurrogate(code);
  return valid ? { code, width } : { code: null, width: 1 };
}
