import { constants, deflateRawSync } from "node:zlib";
import type { DeflateOutput } from "./deflate-output.ts";
import { type Segment, segmentsOf } from "./density.ts";

/**
 * Files are deflated in blocks of this size, each on its own, so that several threads can share one file. In bytes. The 32 KiB before a
 * block, given as its dictionary, saved 0.03 % at most (SQLite, ARK save, region files; levels 1 to 6), so it gets none.
 */
export const BLOCK_BYTES = 1024 * 1024;
/** The last block of a stream, empty. */
export const END_OF_STREAM = Buffer.from([0x03, 0x00]);

/** From this level on size counts more than time: all is given to deflate, however dense it looks. */
const THOROUGH_LEVEL = 6;
/** More memory for the hash of matches than the usual 8: 15 % faster at level 1 for a whole block, and smaller. */
const FOR_BLOCKS = { memLevel: 9, windowBits: 15 } as const;
/** Up to this size, in bytes, less memory finds the same matches, and setting it up takes a third of the time (24 instead of 66 us). */
const SMALL_BYTES = 16 * 1024;
const FOR_SMALL = { memLevel: 6, windowBits: 14 } as const;
/** Before dense content is stored, so much of it is deflated on trial, in bytes; deflate gets it after all if it saves this share. */
const TRIAL_BYTES = SMALL_BYTES;
const TRIAL_SAVING = 1 / 16;
const NOTHING = new Uint8Array(0);

export interface DeflateOptions {
  /** 0 (stored) to 9. */
  level: number;
  /** The stream ends here. */
  last: boolean;
}

/** Appends content of any length to a raw deflate stream, in blocks that each end at a whole byte. The same content gives the same bytes. */
export function deflateInto(output: DeflateOutput, content: Uint8Array, { level, last }: DeflateOptions): void {
  for (let at = 0; at < content.length; at += BLOCK_BYTES) {
    const block = content.subarray(at, at + BLOCK_BYTES);
    if (level === 0) output.store(block);
    else deflateBlock(output, block, level);
  }
  if (last) output.append(END_OF_STREAM);
}

function deflateBlock(output: DeflateOutput, block: Uint8Array, level: number): void {
  const whole: Segment = { kind: "deflate", from: 0, to: block.length };
  const found = level >= THOROUGH_LEVEL ? [whole] : segmentsOf(block);
  const segments = densestSaves(block, found, level) ? [whole] : found;
  let open = false;
  for (const { kind, from, to } of segments) {
    const part = block.subarray(from, to);
    if (kind === "deflate" && open) output.store(NOTHING);
    if (kind === "zeros") output.zeros(part.length);
    else if (kind === "store") output.store(part);
    else deflateOrStore(output, part, level);
    // The bits that a run of zeros leaves open are closed by the stored block that follows, an empty one where nothing is to be stored.
    open = kind === "zeros";
  }
  if (open) output.store(NOTHING);
}

/** Content can repeat itself in ways that its single bytes do not show: the longest dense part tells for all of a block. */
function densestSaves(block: Uint8Array, segments: readonly Segment[], level: number): boolean {
  let longest: Segment | undefined;
  for (const segment of segments) {
    if (segment.kind === "store" && segment.to - segment.from > (longest === undefined ? 0 : longest.to - longest.from)) longest = segment;
  }
  if (longest === undefined) return false;
  const sample = block.subarray(longest.from, Math.min(longest.to, longest.from + TRIAL_BYTES));
  const packed = deflated(sample, level);
  const saves = packed.length < sample.length * (1 - TRIAL_SAVING);
  release(packed);
  return saves;
}

function deflateOrStore(output: DeflateOutput, content: Uint8Array, level: number): void {
  const packed = deflated(content, level);
  if (packed.length < content.length) output.append(packed);
  else output.store(content);
  release(packed);
}

/** One or more blocks of deflate that end at a whole byte, none of them the last of a stream. To be released. */
function deflated(content: Uint8Array, level: number): Buffer<ArrayBuffer> {
  // Room for what cannot be deflated, so that there is one piece of output.
  const chunkSize = content.length + (content.length >> 8) + 1024;
  const memory = content.length <= SMALL_BYTES ? FOR_SMALL : FOR_BLOCKS;
  return deflateRawSync(content, { ...memory, level, finishFlush: constants.Z_SYNC_FLUSH, chunkSize });
}

/** Frees memory at once that the garbage collector would let pile up. Small buffers lie in the memory that Node keeps for them. */
function release({ buffer }: Buffer<ArrayBuffer>): void {
  if (buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}
