import type { CorruptError } from "../format/corrupt.ts";
import type { Id } from "../format/ids.ts";
import type { Lock } from "../format/lock-file.ts";
import { timeNs } from "../snapshots.ts";
import type { LockKind } from "./lock.ts";

/** A lock that was not refreshed for so long was left by a process that is gone. restic's own number, in milliseconds. */
export const STALE_AFTER_MS = 30 * 60_000;

export type SeenLock = { name: Id; lock: Lock } | { name: Id; damage: CorruptError };

/** Who looks at a lock. */
export interface Beholder {
  hostname: string;
  /** Milliseconds since the epoch. */
  now: number;
  /** A process of this host is there. */
  isRunning: (pid: number) => boolean;
}

/** Left by a process that is gone: too old, or of this host and its process does not run. */
export function isStale(seen: SeenLock, { hostname, now, isRunning }: Beholder): boolean {
  if (!("lock" in seen)) return false;
  const { time, hostname: host, pid } = seen.lock;
  return now - Number(timeNs(time) / 1_000_000n) > STALE_AFTER_MS || (host === hostname && !isRunning(pid));
}

/** What keeps a new lock from being taken, in words, or null. */
export function inTheWay(locks: readonly SeenLock[], kind: LockKind, beholder: Beholder): string | null {
  for (const seen of locks) {
    if ("damage" in seen) {
      // Nobody can tell whose it was. To read and to add is safe all the same, to remove is not.
      if (kind === "shared") continue;
      return `The repository has a damaged lock (${seen.name}), so it cannot be told whether somebody works on it. When nobody does, remove it with "restic unlock --remove-all".`;
    }
    if (isStale(seen, beholder) || !(seen.lock.exclusive || kind === "exclusive")) continue;
    const { exclusive, username, hostname, pid, time } = seen.lock;
    return `The repository is locked${exclusive ? " exclusively" : ""} by process ${pid} of ${username} on ${hostname} since ${time}. Wait until it has ended; a lock that nobody keeps is ignored after 30 minutes.`;
  }
  return null;
}
