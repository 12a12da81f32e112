/** A part of an object as R2's `get` takes it. */
export type ByteRange = { offset: number; length?: number } | { suffix: number };

/** Digits of an offset: a safe integer. */
const RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/** What a `Range` header asks for (RFC 9110, section 14.1.2). Null when it has to be ignored: none, of another unit, several, or none that could be. */
export function readRange(header: string | undefined): ByteRange | null {
  const match = RANGE.exec(header ?? "");
  if (match === null) return null;
  const [first = "", last = ""] = match.slice(1);
  if (first === "") return last === "" || Number(last) === 0 ? null : { suffix: Number(last) };
  if (last === "") return { offset: Number(first) };
  return Number(last) < Number(first) ? null : { offset: Number(first), length: Number(last) - Number(first) + 1 };
}

/** The bytes that it comes to in an object of `size` bytes; null when it begins behind the end. */
export function resolveRange(range: ByteRange, size: number): { offset: number; length: number } | null {
  if ("suffix" in range) {
    const length = Math.min(range.suffix, size);
    return { offset: size - length, length };
  }
  if (range.offset >= size) return null;
  return { offset: range.offset, length: Math.min(range.length ?? size, size - range.offset) };
}
