import { Broken } from "./broken.ts";

/** Larger ones are not parsed: it would take the host's memory. In bytes. */
export const JSON_BYTES_MAX = 64 * 1024 * 1024;

/**
 * JSON as games and plugins write it: also with a byte order mark, comments and commas behind the last entry, which many readers take.
 * @throws Broken
 */
export function checkJson(file: Buffer): void {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(file);
  } catch {
    throw new Broken("it is not text in UTF-8");
  }
  if (text.trim() === "") throw new Broken("it is empty");
  if (text.includes("\0")) throw new Broken("it holds zero bytes, as after a crash while it was written");
  if (parses(text) || parses(withoutExtras(text))) return;
  throw new Broken("it is no JSON, or ends too early");
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A string or a comment. One that does not end goes on to the end, so that no part is read twice. */
const PIECES = /"(?:[^"\\\n]|\\.)*"?|\/\/[^\n]*|\/\*(?:[\s\S]*?\*\/|[\s\S]*$)|#[^\n]*/g;
/** A string, or a comma that nothing follows. */
const STRINGS_AND_COMMAS = /"(?:[^"\\\n]|\\.)*"?|,(?=\s*[\]}])/g;

function withoutExtras(text: string): string {
  const bare = text.replace(PIECES, (piece) => (piece.startsWith('"') ? piece : " "));
  return bare.replace(STRINGS_AND_COMMAS, (piece) => (piece === "," ? "" : piece));
}
