import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { freeMemory } from "../free-memory.ts";
import { CorruptError } from "./corrupt.ts";
import { ZstdStream } from "./zstd-stream.ts";

/** zstd's levels that the engine offers. 0 leaves contents as they are, as repositories of version 1 want it. */
export type CompressionLevel = 0 | 1 | 3;

const MIB = 1024 * 1024;
/** Largest blob that is taken from a repository, in bytes. Chunks of files end at 8 MiB; a folder of a million entries makes a tree of some 400 MB. */
export const BLOB_BYTES_MAX = 480 * MIB;
/** Memory that is taken at once for contents of unknown length, in bytes. */
const GUESS_BYTES = 256 * 1024;
const GUESS_FACTOR = 4;
/** More than this is not kept for the next frame: as much as a piece of a file needs. In bytes. */
const ROOM_KEPT_BYTES = 9 * MIB;
/** zstd grows data that it cannot compress by 1/256 and some bytes at most (ZSTD_compressBound). */
const BOUND_SHIFT = 8;
const BOUND_EXTRA = 1024;
/** In quick compression zstd looks for a match at every ninth place or so: less than half as long for what has few matches, and 0.2 % larger then. */
const QUICK_STEP = 8;
/** In a frame, behind its magic number. */
const DESCRIPTOR_AT = 4;
const LENGTH_BITS = 0b1110_0000;

type Parameters = Record<number, number>;
const LEVELS: Record<Exclude<CompressionLevel, 0>, Parameters> = {
  1: { [constants.ZSTD_c_compressionLevel]: 1 },
  3: { [constants.ZSTD_c_compressionLevel]: 3 },
};
const QUICK: Parameters = { ...LEVELS[1], [constants.ZSTD_c_targetLength]: QUICK_STEP };

/** One of each kind a thread. */
const compressors = new Map<Parameters, ZstdStream>();
/** Memory that frames are made in: taking and freeing it for each would leave holes that nothing else fits into. */
let room = Buffer.alloc(0);
const decompressor = ZstdStream.decompressor();

/**
 * One frame. It is valid until the next call.
 *
 * @param quick For what is not expected to become much smaller. At level 1 only: others look for matches in other ways.
 */
export function compress(plain: Uint8Array, level: Exclude<CompressionLevel, 0>, quick = false): Buffer {
  const params = quick && level === 1 ? QUICK : LEVELS[level];
  const frame = roomFor(plain.length + (plain.length >> BOUND_SHIFT) + BOUND_EXTRA);
  const kept = compressorOf(params);
  const length = kept.frame(plain, frame);
  // Without room left, its end may not be there.
  if (length !== null && length < frame.length) return frame.subarray(0, length);
  kept.forget();
  return zstdCompressSync(plain, { chunkSize: frame.length, pledgedSrcSize: plain.length, params });
}

/** Memory for a frame. */
function roomFor(bytes: number): Buffer {
  if (bytes > ROOM_KEPT_BYTES) return Buffer.allocUnsafe(bytes);
  if (bytes > room.length) {
    freeMemory(room);
    // By powers of two: growing bit by bit would leave as many holes.
    room = Buffer.allocUnsafeSlow(Math.min(ROOM_KEPT_BYTES, 2 ** Math.ceil(Math.log2(bytes))));
  }
  return room.subarray(0, bytes);
}

function compressorOf(params: Parameters): ZstdStream {
  const known = compressors.get(params) ?? ZstdStream.compressor(params);
  compressors.set(params, known);
  return known;
}

/**
 * @param expected Length of the contents in bytes, where it is known: another is an error.
 * @param maxBytes Longer contents are refused, before memory is taken for them.
 * @throws CorruptError
 */
export function decompress(bytes: Uint8Array, expected: number | undefined, maxBytes: number, what: string): Buffer {
  if (expected !== undefined && expected > maxBytes)
    throw new CorruptError(what, `it claims to hold ${expected} bytes, more than ${maxBytes}`);
  const kept = expected === undefined ? null : unpackKnown(bytes, expected);
  if (kept !== null) return kept;
  const guess = expected ?? Math.min(maxBytes, Math.max(GUESS_BYTES, bytes.length * GUESS_FACTOR));
  const plain = unpack(bytes, Math.max(1, guess), Math.max(1, expected ?? maxBytes), what);
  if (expected !== undefined && plain.length !== expected)
    throw new CorruptError(what, `it holds ${plain.length} bytes instead of ${expected}`);
  return plain;
}

/** Contents of a frame that says its length, which zstd then unpacks in one go. Null when it cannot: the documented functions tell why. */
function unpackKnown(frame: Uint8Array, length: number): Buffer | null {
  if (length === 0 || !saysItsLength(frame)) return null;
  const plain = Buffer.allocUnsafe(length);
  if (decompressor.frame(frame, plain) === length) return plain;
  decompressor.forget();
  return null;
}

/** RFC 8878, 3.1.1.1.1: the length is there when two bits tell its size or one that there is no window. */
function saysItsLength(frame: Uint8Array): boolean {
  return ((frame[DESCRIPTOR_AT] ?? 0) & LENGTH_BITS) !== 0;
}

function unpack(bytes: Uint8Array, chunkSize: number, maxOutputLength: number, what: string): Buffer {
  try {
    return zstdDecompressSync(bytes, { chunkSize: Math.max(constants.Z_MIN_CHUNK, chunkSize), maxOutputLength });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new CorruptError(what, `it unpacks to more than ${maxOutputLength} bytes`, error);
    }
    throw new CorruptError(what, "its compressed contents cannot be read", error);
  }
}
