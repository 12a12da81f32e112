/**
 * The brake on retention: it freezes removal when the newest backup looks nothing like those before it, or when too much would go at once. A world that was
 * wiped, or encrypted by somebody, shows this way before its good backups have been rotated out.
 */

/** One backup's measures. `newBytes` is what the store did not have yet, before compression; null for archives, which hold everything each time. */
export interface BrakeFacts {
  sourceBytes: number;
  files: number;
  newBytes: number | null;
}

export interface BrakeSettings {
  /** Below this share of the median, size or file count has collapsed. */
  shrink: number;
  /** Above so many times the median they have exploded. */
  grow: number;
  /** Above this share of the whole, new content is looked at; … */
  newShare: number;
  /** … and when it is also so many times the median share, nearly everything has changed at once. */
  newGrow: number;
  /** No plan removes more than this share of a server's backups … */
  removeShare: number;
  /** … unless it removes no more than so many. */
  removeFree: number;
}

/** Worlds grow by days and shrink by hand; a half and a threefold between two backups are neither. */
export const BRAKE_DEFAULT: BrakeSettings = { shrink: 0.5, grow: 3, newShare: 0.5, newGrow: 4, removeShare: 0.5, removeFree: 3 };

/** The median is that of so many backups before the newest, … */
export const BRAKE_HISTORY = 20;
/** … and with fewer than this there is nothing to compare with. */
export const BRAKE_HISTORY_MIN = 3;

export type BrakeReason =
  | { what: "size" | "files"; way: "collapsed" | "exploded"; now: number; usual: number }
  /** `now` and `usual` are shares of the backup, from 0 to 1. */
  | { what: "new content"; way: "exploded"; now: number; usual: number }
  | { what: "plan"; way: "removes too much"; now: number; usual: number };

/** What is odd about the newest backup. `before`: those before it, newest first. */
export function judgeNewest(newest: BrakeFacts, before: readonly BrakeFacts[], settings: BrakeSettings = BRAKE_DEFAULT): BrakeReason[] {
  const history = before.slice(0, BRAKE_HISTORY);
  if (history.length < BRAKE_HISTORY_MIN) return [];
  const reasons: BrakeReason[] = [];
  for (const [what, of] of [
    ["size", ({ sourceBytes }: BrakeFacts) => sourceBytes],
    ["files", ({ files }: BrakeFacts) => files],
  ] as const) {
    const [now, usual] = [of(newest), median(history.map(of))];
    if (now < usual * settings.shrink) reasons.push({ what, way: "collapsed", now, usual });
    else if (now > usual * settings.grow && usual > 0) reasons.push({ what, way: "exploded", now, usual });
  }
  const share = newShare(newest);
  const shares = history.map(newShare).filter((one) => one !== null);
  if (share !== null && shares.length >= BRAKE_HISTORY_MIN) {
    const usual = median(shares);
    if (share > settings.newShare && share > usual * settings.newGrow)
      reasons.push({ what: "new content", way: "exploded", now: share, usual });
  }
  return reasons;
}

/** Whether a plan removes too much at once. `all`: backups there are before it; `gone`: those that it would remove. */
export function judgePlan(all: number, gone: number, settings: BrakeSettings = BRAKE_DEFAULT): BrakeReason[] {
  if (gone <= settings.removeFree || gone <= all * settings.removeShare) return [];
  return [{ what: "plan", way: "removes too much", now: gone, usual: all }];
}

function newShare({ sourceBytes, newBytes }: BrakeFacts): number | null {
  return newBytes === null || sourceBytes === 0 ? null : Math.min(1, newBytes / sourceBytes);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}
