import type { Id } from "../format/ids.ts";
import { PACK_BYTES } from "../format/pack.ts";

/** A pack that the index names, and how much of it is needed. Bytes as stored. */
export interface PackUse {
  id: Id;
  usedBytes: number;
  unusedBytes: number;
  usedBlobs: number;
}

export interface PrunePlan {
  keep: PackUse[];
  /** What is needed of these goes into new packs, then they go. */
  repack: PackUse[];
  /** Nothing is needed of these. */
  remove: PackUse[];
}

export interface PruneLimits {
  /** Bytes that nobody needs may stay up to this share of all bytes that stay, to save rewriting. */
  maxUnusedShare: number;
  /** No more is rewritten in one run, in bytes that are needed. */
  maxRepackBytes: number;
}

/** restic's default. */
export const MAX_UNUSED_SHARE = 0.05;
/** Frequent backups leave small packs; when there are so many, they are put together. */
const SMALL_PACKS_MIN = 16;
const SMALL_PACK_BYTES = PACK_BYTES / 4;

/** What to do with each pack: the most wasteful ones are rewritten until the waste that stays is within its share. */
export function planPrune(packs: readonly PackUse[], { maxUnusedShare, maxRepackBytes }: PruneLimits): PrunePlan {
  const plan: PrunePlan = { keep: [], repack: [], remove: [] };
  const needed: PackUse[] = [];
  for (const pack of packs) (pack.usedBlobs === 0 ? plan.remove : needed).push(pack);
  const usedBytes = sum(needed, ({ usedBytes: bytes }) => bytes);
  // unused <= share * (used + unused)
  const allowed = maxUnusedShare >= 1 ? Number.POSITIVE_INFINITY : (usedBytes * maxUnusedShare) / (1 - maxUnusedShare);
  let unused = sum(needed, ({ unusedBytes }) => unusedBytes);
  const small = needed.filter(isSmall);
  const putTogether = new Set(small.length >= SMALL_PACKS_MIN ? small : []);
  let rewritten = 0;
  for (const pack of needed.toSorted((a, b) => wasteOf(b) - wasteOf(a) || (a.id < b.id ? -1 : 1))) {
    const wanted = putTogether.has(pack) || (pack.unusedBytes > 0 && unused > allowed);
    if (!wanted || rewritten + pack.usedBytes > maxRepackBytes) {
      plan.keep.push(pack);
      continue;
    }
    plan.repack.push(pack);
    rewritten += pack.usedBytes;
    unused -= pack.unusedBytes;
  }
  return plan;
}

function isSmall({ usedBytes, unusedBytes }: PackUse): boolean {
  return usedBytes + unusedBytes < SMALL_PACK_BYTES;
}

function wasteOf({ usedBytes, unusedBytes }: PackUse): number {
  return unusedBytes / (usedBytes + unusedBytes);
}

export function sum<T>(list: Iterable<T>, value: (item: T) => number): number {
  let total = 0;
  for (const item of list) total += value(item);
  return total;
}
