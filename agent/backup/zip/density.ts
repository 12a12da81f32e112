/** Files are looked at in pieces of this size, in bytes: a page of most databases, and a sector of Minecraft's region files. */
export const SECTOR_BYTES = 4096;
/** A shorter run of zeros is left where it is, in bytes: a block of its own costs some 10. */
const ZERO_RUN_MIN = 64;
/** Fewer bytes say too little about themselves: they are taken for what came before them. */
const JUDGED_MIN = SECTOR_BYTES / 2;
/** Every so many bytes are looked at. Prime, so that records of a fixed length do not hide a column. */
const STRIDE = 11;
/**
 * Two bytes of random content are equal once in 256 pairs. Up to this many times as often counts as random: then the content holds at
 * least 7.68 bits a byte, and Huffman codes save at most 4 %. For the sample of a whole sector that is 4 deviations off, of half of one 2.
 */
const LIKENESS_MAX = 1.25;
/** Dense content is told apart from this many bytes on: cutting deflate's work into smaller pieces costs more than it saves. */
const DENSE_MIN = 4 * SECTOR_BYTES;

/** A part of a block and the cheapest way to write it: `store` content that looks random, a run of `zeros`, or `deflate`. */
export interface Segment {
  kind: "store" | "zeros" | "deflate";
  from: number;
  to: number;
}

/**
 * Cuts a block into parts by how dense they are. Region files are mostly chunks that are compressed already and the zeros that fill up their
 * sectors: neither is worth deflate's time.
 */
export function segmentsOf(bytes: Uint8Array): Segment[] {
  const segments: Segment[] = [];
  const words = wordsOf(bytes);
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    const end = Math.min(at + SECTOR_BYTES, bytes.length);
    let head = endOfContent(bytes, words, at, end);
    if (end - head < ZERO_RUN_MIN) head = end;
    const inDense = segments.length > 0 && segments.at(-1)?.kind !== "deflate";
    const dense = head - at < JUDGED_MIN ? inDense : looksRandom(bytes, at, head);
    if (!dense) extend(segments, "deflate", at, end);
    else {
      if (head > at) extend(segments, "store", at, head);
      if (end > head) extend(segments, "zeros", head, end);
    }
  }
  return withoutShortDense(segments);
}

/** The same bytes, four at a time. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2);
}

/** Where the zeros begin that a sector ends with. Sectors begin at whole words. */
function endOfContent(bytes: Uint8Array, words: Int32Array, at: number, end: number): number {
  let head = end;
  while (head > at && head % 4 !== 0 && bytes[head - 1] === 0) head -= 1;
  if (head % 4 === 0) while (head > at && words[head / 4 - 1] === 0) head -= 4;
  while (head > at && bytes[head - 1] === 0) head -= 1;
  return head;
}

function extend(segments: Segment[], kind: Segment["kind"], from: number, to: number): void {
  const last = segments.at(-1);
  if (last?.kind === kind) last.to = to;
  else segments.push({ kind, from, to });
}

/** Gives dense stretches back to deflate that are too short to be worth a cut. */
function withoutShortDense(segments: readonly Segment[]): Segment[] {
  const kept: Segment[] = [];
  for (let first = 0; first < segments.length; ) {
    let next = first + 1;
    if (segments[first]?.kind !== "deflate") while (next < segments.length && segments[next]?.kind !== "deflate") next += 1;
    const stretch = segments.slice(first, next);
    const [from, to] = [stretch[0]?.from ?? 0, stretch.at(-1)?.to ?? 0];
    // A block that is dense from end to end has nothing to be cut from.
    if (stretch[0]?.kind === "deflate" || (to - from < DENSE_MIN && stretch.length < segments.length)) extend(kept, "deflate", from, to);
    else kept.push(...stretch);
    first = next;
  }
  return kept;
}

const counts = new Uint32Array(256);

/** Whether a sample of the bytes repeats itself no more than random ones would. */
function looksRandom(bytes: Uint8Array, from: number, to: number): boolean {
  counts.fill(0);
  let sampled = 0;
  let pairs = 0;
  for (let at = from; at < to; at += STRIDE) {
    const value = bytes[at] ?? 0;
    const before = counts[value] ?? 0;
    pairs += before;
    counts[value] = before + 1;
    sampled += 1;
  }
  return pairs <= (LIKENESS_MAX * sampled * (sampled - 1)) / 2 / 256;
}
