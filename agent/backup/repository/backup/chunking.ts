import { CHUNK_AVERAGE_BITS, CHUNK_MAX, CHUNK_MIN_SHARED, type ChunkerOptions } from "../kernels/chunker.ts";

/**
 * Where repositories of ours cut: a fingerprint of 18 zero bits comes about every 256 KiB. Pieces of some 384 KiB instead of restic's 1.5 MiB
 * halve what a small change of a large file adds (41 MB instead of 76 for 1 % of 2 GB), and cost 60 bytes of memory each. restic reads them as it
 * reads its own.
 */
const AVERAGE_BITS = 18;

/** How files are cut: with restic's own smallest piece exactly as restic does it, so that both find what the other stored. */
export function chunking(polynomial: string, min: number): ChunkerOptions {
  return { polynomial, min, max: CHUNK_MAX, averageBits: min >= CHUNK_MIN_SHARED ? CHUNK_AVERAGE_BITS : AVERAGE_BITS };
}
