import type { Snapshot } from "../format/snapshot.ts";
import { newestFirst, timeNs } from "../snapshots.ts";
import { type Duration, isoWeek, type WallTime, ZoneCalendar } from "./calendar.ts";

/** Which snapshots stay. A snapshot stays when one of the rules wants it. Numbers count the newest ones. */
export interface KeepRules {
  last?: number;
  /** The last snapshot of each of so many hours, days, … that have any. */
  hourly?: number;
  daily?: number;
  weekly?: number;
  monthly?: number;
  yearly?: number;
  /** All that are younger than this, counted from the newest snapshot that is not from the future. */
  within?: Duration;
  /** Snapshots that have all tags of one of these lists. */
  tags?: readonly (readonly string[])[];
}

export interface KeepDecision {
  keep: { snapshot: Snapshot; reasons: string[] }[];
  remove: Snapshot[];
}

interface Bucket {
  reason: string;
  left: number;
  last: string | null;
  keyOf: (wall: WallTime, position: number) => string;
}

export interface KeepContext {
  /** IANA name: whose days and weeks count. */
  timeZone: string;
  /** Milliseconds since the epoch. */
  now: number;
}

/** Without any rule everything stays. Newest first. */
export function applyKeepRules(snapshots: readonly Snapshot[], rules: KeepRules, { timeZone, now }: KeepContext): KeepDecision {
  const sorted = [...snapshots].sort(newestFirst);
  if (isEmpty(rules)) return { keep: sorted.map((snapshot) => ({ snapshot, reasons: [] })), remove: [] };
  const calendar = new ZoneCalendar(timeZone);
  // A snapshot of a host whose clock is ahead must not make all others old.
  const newest = sorted.map(msOf).find((time) => time <= now);
  const since =
    rules.within === undefined ? undefined : newest === undefined ? Number.NEGATIVE_INFINITY : calendar.before(newest, rules.within);
  const buckets = bucketsOf(rules);
  const decision: KeepDecision = { keep: [], remove: [] };
  for (const [position, snapshot] of sorted.entries()) {
    const reasons: string[] = [];
    if (since !== undefined && msOf(snapshot) > since) reasons.push("within");
    if ((rules.tags ?? []).some((tags) => hasAll(snapshot, tags))) reasons.push("tags");
    const wall = calendar.wallTime(msOf(snapshot));
    const oldest = position === sorted.length - 1;
    for (const bucket of buckets) {
      const reason = takes(bucket, bucket.keyOf(wall, position), oldest);
      if (reason !== null) reasons.push(reason);
    }
    if (reasons.length > 0) decision.keep.push({ snapshot, reasons });
    else decision.remove.push(snapshot);
  }
  return decision;
}

/**
 * Why a bucket wants a snapshot, or null. The oldest snapshot of all stays while a rule has some left, so that the history reaches as far back as the rule
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
  ];
}

function isEmpty({ within, tags = [], ...counts }: KeepRules): boolean {
  return within === undefined && tags.length === 0 && Object.values(counts).every((count) => count === undefined || count <= 0);
}

function hasAll({ tags = [] }: Snapshot, wanted: readonly string[]): boolean {
  return wanted.every((tag) => tags.includes(tag));
}

function msOf({ time }: Snapshot): number {
  return Number(timeNs(time) / 1_000_000n);
}

export type GroupBy = "host" | "paths" | "tags";

/** Rules count within a group: by default, snapshots of the same host and the same paths. */
export function groupSnapshots(snapshots: readonly Snapshot[], by: readonly GroupBy[] = ["host", "paths"]): Snapshot[][] {
  const groups = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    const { hostname, paths, tags = [] } = snapshot;
    const parts = { host: hostname, paths: [...paths].sort(), tags: [...tags].sort() };
    const key = JSON.stringify(by.map((part) => parts[part]));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [snapshot]);
    else group.push(snapshot);
  }
  return [...groups.values()];
}
