import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CorruptError } from "./corrupt.ts";

/** zstd's levels that the engine offers. 0 leaves contents as they are, as repositories of version 1 want it. */
export type CompressionLevel = 0 | 1 | 3;

const MIB = 1024 * 1024;
/** Largest blob that is taken from a repository, in bytes. Chunks of files end at 8 MiB; a folder of a million entries makes a tree of some 400 MB. */
export const BLOB_BYTES_MAX = 480 * MIB;
/** Memory that is taken at once for contents of unknown length, in bytes. */
const GUESS_BYTES = 256 * 1024;
const GUESS_FACTOR = 4;
/** zstd grows data that it cannot compress by 1/256 and some bytes at most (ZSTD_compressBound). */
const BOUND_SHIFT = 8;
const BOUND_EXTRA = 1024;
/** In quick compression zstd looks for a match at every third place or so: half as long for what has few matches, and 0.1 % larger then. */
const QUICK_STEP = 2;

/** @param quick For what is not expected to become much smaller. At level 1 only: others look for matches in other ways. */
export function compress(plain: Uint8Array, level: number, quick = false): Buffer {
  const step = quick && level === 1 ? { [constants.ZSTD_c_targetLength]: QUICK_STEP } : {};
  return zstdCompressSync(plain, {
    chunkSize: plain.length + (plain.length >> BOUND_SHIFT) + BOUND_EXTRA,
    pledgedSrcSize: plain.length,
    params: { [constants.ZSTD_c_compressionLevel]: level, ...step },
  });
}

/**
 * @param expected Length of the contents in bytes, where it is known: another is an error.
 * @param maxBytes Longer contents are refused, before memory is taken for them.
 * @throws CorruptError
 */
export function decompress(bytes: Uint8Array, expected: number | undefined, maxBytes: number, what: string): Buffer {
  if (expected !== undefined && expected > maxBytes)
    throw new CorruptError(what, `it claims to hold ${expected} bytes, more than ${maxBytes}`);
  const guess = expected ?? Math.min(maxBytes, Math.max(GUESS_BYTES, bytes.length * GUESS_FACTOR));
  const plain = unpack(bytes, Math.max(1, guess), Math.max(1, expected ?? maxBytes), what);
  if (expected !== undefined && plain.length !== expected)
    throw new CorruptError(what, `it holds ${plain.length} bytes instead of ${expected}`);
  return plain;
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
