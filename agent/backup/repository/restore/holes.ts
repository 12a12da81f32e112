import { writeSync } from "node:fs";

/** Holes begin and end at blocks of this size, as file systems have them, in bytes. */
const BLOCK_BYTES = 4096;
/** Shorter runs of zeros are written: many small holes scatter a file over the disk. In bytes. */
export const HOLE_MIN_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(HOLE_MIN_BYTES);

/** A part that has to be written: from `start` to `end`, in bytes of the blob. */
export interface Piece {
  start: number;
  end: number;
}

/** The parts of a blob outside of its runs of zeros of HOLE_MIN_BYTES and more, when it is to stand at `at` in its file. */
export function piecesOf(plain: Buffer, at: number): Piece[] {
  if (plain.length < HOLE_MIN_BYTES) return [{ start: 0, end: plain.length }];
  const pieces: Piece[] = [];
  let start = 0;
  // Each look skips half a hole: every run that is long enough holds such a block whole.
  const step = HOLE_MIN_BYTES / 2;
  for (let look = firstBlock(at); look + BLOCK_BYTES <= plain.length; look += step) {
    if (!isZero(plain, look, look + BLOCK_BYTES)) continue;
    const zeros = runAround(plain, look, start, at);
    if (zeros.end - zeros.start < HOLE_MIN_BYTES) continue;
    if (zeros.start > start) pieces.push({ start, end: zeros.start });
    start = zeros.end;
    look = zeros.end - step;
  }
  if (start < plain.length) pieces.push({ start, end: plain.length });
  return pieces;
}

/** First byte of the blob that begins a block of the file. */
function firstBlock(at: number): number {
  return (BLOCK_BYTES - (at % BLOCK_BYTES)) % BLOCK_BYTES;
}

function runAround(plain: Buffer, look: number, from: number, at: number): Piece {
  let start = look;
  while (start - BLOCK_BYTES >= from && isZero(plain, start - BLOCK_BYTES, start)) start -= BLOCK_BYTES;
  let end = look + BLOCK_BYTES;
  while (end + HOLE_MIN_BYTES <= plain.length && isZero(plain, end, end + HOLE_MIN_BYTES)) end += HOLE_MIN_BYTES;
  while (end + BLOCK_BYTES <= plain.length && isZero(plain, end, end + BLOCK_BYTES)) end += BLOCK_BYTES;
  // The rest of the blob, when it is zeros too: the next blob may go on with them.
  if (end < plain.length && plain.length - end < BLOCK_BYTES && isZero(plain, end, plain.length)) end = plain.length;
  const head = firstBlock(at);
  if (start === head && head > 0 && from === 0 && isZero(plain, 0, head)) start = 0;
  return { start, end };
}

function isZero(plain: Buffer, start: number, end: number): boolean {
  return plain[start] === 0 && plain.compare(ZEROS, 0, end - start, start, end) === 0;
}

/** Writes pieces of a blob that stands at `at` in its file. */
export function writePieces(fd: number, plain: Buffer, pieces: readonly Piece[], at: number): void {
  for (const { start, end } of pieces) {
    for (let from = start; from < end; ) from += writeSync(fd, plain, from, end - from, at + from);
  }
}
