import { type Duration, isoWeek, type WallTime, ZoneCalendar } from "./calendar.ts";

/** Which backups stay. One stays when one of the rules wants it. Numbers count the newest ones. The rules are restic's (its documentation, Removing snapshots). */
export interface KeepRules {
  last?: number | undefined;
  /** The last backup of each of so many hours, days, … that have any. */
  hourly?: number | undefined;
  daily?: number | undefined;
  weekly?: number | undefined;
  monthly?: number | undefined;
  yearly?: number | undefined;
  /** All that are younger than this, counted from the newest backup that is not from the future. */
  within?: Duration | undefined;
  /** Backups that have all tags of one of these lists. */
  tags?: readonly (readonly string[])[] | undefined;
}

/** What the rules look at. */
export interface KeepFacts {
  /** Milliseconds since the epoch. */
  at: number;
  tags: readonly string[];
}

export interface KeepContext {
  /** IANA name: whose days and weeks count. */
  timeZone: string;
  /** Milliseconds since the epoch. */
  now: number;
}

interface Bucket {
  reason: string;
  left: number;
  last: string | null;
  keyOf: (wall: WallTime, position: number) => string;
}

/**
 * Why each backup stays, in the order given: an empty list is one that no rule wants. Without any rule nobody asks for anything to go, and the answer is null.
 * @param newestFirst Sorted by time
 */
export function keepReasons(newestFirst: readonly KeepFacts[], rules: KeepRules, { timeZone, now }: KeepContext): string[][] | null {
  if (isEmpty(rules)) return null;
  const calendar = new ZoneCalendar(timeZone);
  // One from a clock that is ahead must not make all others old.
  const newest = newestFirst.find(({ at }) => at <= now)?.at;
  const since =
    rules.within === undefined ? undefined : newest === undefined ? Number.NEGATIVE_INFINITY : calendar.before(newest, rules.within);
  const buckets = bucketsOf(rules);
  return newestFirst.map(({ at, tags }, position) => {
    const reasons: string[] = [];
    if (since !== undefined && at > since) reasons.push("within");
    if ((rules.tags ?? []).some((wanted) => wanted.every((tag) => tags.includes(tag)))) reasons.push("tags");
    const wall = calendar.wallTime(at);
    const oldest = position === newestFirst.length - 1;
    for (const bucket of buckets) {
      const reason = takes(bucket, bucket.keyOf(wall, position), oldest);
      if (reason !== null) reasons.push(reason);
    }
    return reasons;
  });
}

/**
 * Why a bucket wants a backup, or null. The oldest of all stays while a rule has some left, so that the history reaches as far back as the rule
 * allows; restic does so from 0.16 on.
 */
function takes(bucket: Bucket, key: string, oldest: boolean): string | null {
  if (bucket.left <= 0) return null;
  const fresh = key !== bucket.last;
  if (!fresh && !oldest) return null;
  bucket.left -= 1;
  bucket.last = key;
  return fresh ? bucket.reason : `oldest ${bucket.reason}`;
}

function bucketsOf({ last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0 }: KeepRules): Bucket[] {
  const bucket = (reason: string, left: number, keyOf: Bucket["keyOf"]): Bucket => ({ reason, left, last: null, keyOf });
  return [
    bucket("last", last, (_, position) => `${position}`),
    bucket("hourly", hourly, ({ year, month, day, hour }) => `${year}-${month}-${day} ${hour}`),
    bucket("daily", daily, ({ year, month, day }) => `${year}-${month}-${day}`),
    bucket("weekly", weekly, (wall) => `${isoWeek(wall).year} ${isoWeek(wall).week}`),
    bucket("monthly", monthly, ({ year, month }) => `${year}-${month}`),
    bucket("yearly", yearly, ({ year }) => `${year}`),
  ].filter(({ left }) => left > 0);
}

function isEmpty({ within, tags = [], ...counts }: KeepRules): boolean {
  return within === undefined && tags.length === 0 && Object.values(counts).every((count) => count === undefined || count <= 0);
}
