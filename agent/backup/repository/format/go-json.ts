/** JSON as Go's encoding/json writes it, which restic uses: the hash of a tree depends on each byte. */
import { isUtf8 } from "node:buffer";
import { characterAt } from "./go-quote.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what Go escapes.
const ESCAPED = /[\u0000-\u001f"\\<>&\u2028\u2029]|\p{Surrogate}/gu;
const PLAIN = /^[\u0020\u0021\u0023-\u0025\u0027-\u003b\u003d\u003f-\u005b\u005d-\u007f]*$/;

const SHORT: Record<string, string> = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A text in quotes. Go escapes <, > and & too, and up to version 1.21 knows no \b and \f. */
export function goString(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : `"${text.replace(ESCAPED, escapeOne)}"`;
}

function escapeOne(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  // Half of a surrogate pair is no character. Go has the replacement character for it.
  return SHORT[character] ?? `\\u${(code >= 0xd800 && code <= 0xdfff ? 0xfffd : code).toString(16).padStart(4, "0")}`;
}

/** As `goString`, of bytes that need not be UTF-8: what is none becomes the replacement character, escaped, byte for byte. */
export function goBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return goString(bytes.toString());
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const { code, width } = characterAt(bytes, at);
    text += code === null ? "\\ufffd" : goString(String.fromCodePoint(code)).slice(1, -1);
    at += width;
  }
  return `"${text}"`;
}

/** A value of plain objects, lists, texts, numbers, bigints, booleans and null. Members that are undefined are left out. */
export function goJson(value: unknown): string {
  if (typeof value === "string") return goString(value);
  if (value === null || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(goJson).join(",")}]`;
  if (typeof value !== "object") throw new TypeError(`A ${typeof value} has no JSON`);
  const members = Object.entries(value).filter(([, it]) => it !== undefined);
  return `{${members.map(([name, it]) => `${goString(name)}:${goJson(it)}`).join(",")}}`;
}
