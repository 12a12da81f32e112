import { randomBytes } from "node:crypto";

/**
 * The key that opens every repository of a host: the password of the repositories, as restic asks for it. 160 bits in letters and digits that
 * nobody mistakes for one another (Crockford's alphabet), in groups, so that it can be written down and typed.
 */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const KEY_BYTES = 20;
const GROUP = 4;
const BITS_A_LETTER = 5;

/** Such as `7K3M-…`, eight groups of four. */
export function newRecoveryKey(bytes: Uint8Array = randomBytes(KEY_BYTES)): string {
  let bits = "";
  for (const byte of bytes) bits += byte.toString(2).padStart(8, "0");
  const letters: string[] = [];
  for (let at = 0; at + BITS_A_LETTER <= bits.length; at += BITS_A_LETTER)
    letters.push(ALPHABET.charAt(Number.parseInt(bits.slice(at, at + BITS_A_LETTER), 2)));
  const groups: string[] = [];
  for (let at = 0; at < letters.length; at += GROUP) groups.push(letters.slice(at, at + GROUP).join(""));
  return groups.join("-");
}

const TYPED = /^[0-9A-Z]{4}(?:[- ]?[0-9A-Z]{4}){7}$/;

/**
 * A key as somebody typed it: in small letters, with spaces or without hyphens, with an O for a zero or an I or L for a one. Anything else is a
 * password of the person's own, and stays as it is.
 */
export function tidyKey(typed: string): string {
  const text = typed.trim();
  const upper = text.toUpperCase();
  if (!TYPED.test(upper)) return text;
  const letters = upper.replaceAll(/[- ]/g, "").replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  if ([...letters].some((letter) => !ALPHABET.includes(letter))) return text;
  return letters.replaceAll(/(.{4})(?=.)/g, "$1-");
}
