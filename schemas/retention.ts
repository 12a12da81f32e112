/** A backup as retention sees it. `good`: complete, so that it can be restored from. */
export interface KeptBackup<Id = string> {
  id: Id;
  /** When it was made, in milliseconds since the epoch. */
  at: number;
  good: boolean;
  /** Some of its files changed while they were read. */
  torn?: boolean;
}

export interface KeepRule {
  /** So many of the newest good backups are kept; less than 1 counts as 1. */
  keepLast: number;
  /** Whatever is younger than so many days is kept as well. */
  keepDays?: number;
}

const DAY_MS = 24 * 60 * 60_000;

/**
 * Which backups retention may remove, oldest first. A backup stays when either rule wants it: the count or the age.
 * Only good backups count, so a run of bad ones never pushes out a good one. The newest good one always stays, and so does the newest good
 * one that is not torn.
 * Agent and Worker both decide by this function.
 */
export function expired<Id>(backups: readonly KeptBackup<Id>[], keep: KeepRule, now: number): Id[] {
  const keepLast = Math.max(1, keep.keepLast);
  const youngest = keep.keepDays === undefined ? Number.POSITIVE_INFINITY : now - keep.keepDays * DAY_MS;
  const newestFirst = [...backups].sort((a, b) => b.at - a.at);
  const gone: Id[] = [];
  const lastWhole = newestFirst.find((backup) => backup.good && backup.torn !== true);
  let newerGood = 0;
  for (const backup of newestFirst) {
    if (newerGood >= keepLast && backup.at < youngest && backup !== lastWhole) gone.push(backup.id);
    if (backup.good) newerGood += 1;
  }
  return gone.reverse();
}
