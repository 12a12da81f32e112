import type { KeptBackup } from "./kept.ts";

/** How the backups of a server grew. */
export interface KeptStats {
  backups: number;
  /** Of the files of all of them, as if each were a copy. */
  sourceBytes: number;
  /** What they take in the store together. */
  storedBytes: number;
  /** `sourceBytes` by `storedBytes`; left out when nothing is known. */
  ratio?: number;
  /** Oldest first. */
  rows: KeptStatsRow[];
}

export interface KeptStatsRow extends KeptBackup {
  /** Share of its bytes that the store had already, 0 to 1; left out when it is not known. */
  reused?: number;
}

/** `list`: newest first. */
export function keptStats(list: readonly KeptBackup[], storedBytes: number): KeptStats {
  const sourceBytes = list.reduce((sum, it) => sum + (it.sourceBytes ?? 0), 0);
  return {
    backups: list.length,
    sourceBytes,
    storedBytes,
    ...(sourceBytes > 0 && storedBytes > 0 && { ratio: sourceBytes / storedBytes }),
    rows: list.toReversed().map((it) => ({ ...it, ...reusedOf(it) })),
  };
}

function reusedOf({ sourceBytes, newBytes }: KeptBackup): { reused?: number } {
  if (sourceBytes === undefined || newBytes === undefined || sourceBytes === 0) return {};
  // Folders are stored too, so that a first backup may add more than its files hold.
  return { reused: Math.max(0, 1 - newBytes / sourceBytes) };
}

/** A bar of at most `width` characters; what is more than nothing shows. */
export function textBar(value: number, most: number, width: number): string {
  if (value <= 0 || most <= 0) return "";
  return "█".repeat(Math.max(1, Math.round((value / most) * width)));
}
