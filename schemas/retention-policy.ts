import * as z from "zod/mini";
import { parseDuration } from "./calendar.ts";
import { type KeepRules, keepReasons } from "./keep-rules.ts";

/** Largest number of a rule: more backups than a guild remembers of a server. */
export const KEEP_COUNT_MAX = 10_000;
/** Tags that a policy, or one backup, may have. */
export const TAGS_MAX = 10;

/** A tag that people give to a backup. It can stand in a list that is apart by commas. */
export const backupTag = z.string().check(z.regex(/^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$/, "use 1 to 32 of a-z, 0-9, dot, - and _"));

const keep = z.optional(z.int().check(z.positive(), z.maximum(KEEP_COUNT_MAX)));

/** Which backups of a server stay: those that any of the rules wants. Without a rule all of them do. */
export const retentionPolicy = z.object({
  last: keep,
  hourly: keep,
  daily: keep,
  weekly: keep,
  monthly: keep,
  yearly: keep,
  /** All that are younger than this, counted from the newest: `1y5m7d2h`, years, months, days and hours in this order. */
  within: z.optional(
    z.string().check(z.regex(/^(?=.)(?:\d{1,6}y)?(?:\d{1,6}m)?(?:\d{1,6}d)?(?:\d{1,6}h)?$/, "write it as 30d, 2y6m or 36h")),
  ),
  /** Backups that have any of these tags. */
  tags: z.optional(z.array(backupTag).check(z.maxLength(TAGS_MAX))),
  /** IANA name: whose hours, days and weeks count. */
  zone: z.string().check(z.minLength(1), z.maxLength(64)),
});
export type RetentionPolicy = z.infer<typeof retentionPolicy>;

/** A safety backup, which a restore makes of what was there before, stays at least so long, in days: an Undo needs it for one, and a mistake may show later. */
export const SAFETY_KEPT_DAYS = 30;

/** A backup as retention sees it. */
export interface RetainedBackup<Id = string> {
  id: Id;
  /** When the control plane took it in, in milliseconds since the epoch; where no control plane is, when it was made. */
  at: number;
  /** Complete and in its place, so that it can be restored from. */
  good: boolean;
  /** Some of its files changed while they were read. */
  torn?: boolean;
  /** A person said that it stays. */
  pinned?: boolean;
  purpose?: "safety" | undefined;
  tags?: readonly string[];
}

export interface RetentionDecision<Id> {
  /** Newest first, with the reasons: names of rules, or one of the fixed ones below. */
  kept: { id: Id; reasons: string[] }[];
  /** Oldest first. */
  gone: Id[];
}

/** Reasons besides the rules' own names. */
export const KEPT_BECAUSE = {
  pinned: "pinned",
  safety: "safety backup",
  newest: "newest",
  newestWhole: "newest whole one",
  /** Nothing verified and whole is newer. */
  nothingNewer: "nothing newer to restore from",
  noRules: "no rules",
} as const;

const DAY_MS = 24 * 60 * 60_000;

/**
 * Which backups of one server stay and why, and which may go.
 *
 * Only good backups count for the rules, so that a run of failures pushes nothing out. The newest good one stays, and so does the newest good one that is
 * whole; whatever goes has one of them after it. Pinned ones stay, and safety backups for `SAFETY_KEPT_DAYS`; those count for no rule, since they may hold
 * the very damage that a restore was to undo. Agent and guild both decide by this function.
 */
export function decideRetention<Id>(backups: readonly RetainedBackup<Id>[], policy: RetentionPolicy, now: number): RetentionDecision<Id> {
  const newestFirst = [...backups].sort((a, b) => b.at - a.at);
  const counted = newestFirst.filter(({ good, purpose }) => good && purpose !== "safety");
  const facts = counted.map(({ at, tags = [] }) => ({ at, tags }));
  const byRule = keepReasons(facts, rulesOf(policy), { timeZone: policy.zone, now });
  const reasonsOf = new Map(counted.map((backup, position) => [backup, byRule?.[position] ?? []]));
  const newest = counted[0];
  const newestWhole = counted.find(({ torn }) => torn !== true);
  const decision: RetentionDecision<Id> = { kept: [], gone: [] };
  for (const backup of newestFirst) {
    const reasons = [...(reasonsOf.get(backup) ?? [])];
    if (backup.pinned === true) reasons.push(KEPT_BECAUSE.pinned);
    if (backup.purpose === "safety" && now - backup.at < SAFETY_KEPT_DAYS * DAY_MS) reasons.push(KEPT_BECAUSE.safety);
    if (backup === newest) reasons.push(KEPT_BECAUSE.newest);
    if (backup === newestWhole) reasons.push(KEPT_BECAUSE.newestWhole);
    if (byRule === null && reasons.length === 0) reasons.push(KEPT_BECAUSE.noRules);
    // A torn one may go for a newer torn one; whatever else only for one that is whole.
    const after = backup.good && backup.torn === true ? newest : newestWhole;
    if (reasons.length === 0 && (after === undefined || after.at <= backup.at)) reasons.push(KEPT_BECAUSE.nothingNewer);
    if (reasons.length > 0) decision.kept.push({ id: backup.id, reasons });
    else decision.gone.push(backup.id);
  }
  decision.gone.reverse();
  return decision;
}

/** What a host's config asks for, `keep_last` and `keep_days`, as a policy. */
export function policyOfHost({ keepLast, keepDays }: { keepLast: number; keepDays?: number | undefined }): RetentionPolicy {
  return { last: Math.max(1, keepLast), zone: "UTC", ...(keepDays === undefined ? {} : { within: hours(keepDays) }) };
}

function hours(days: number): string {
  return `${Math.min(999_999, Math.ceil(days * 24))}h`;
}

/** In words for people: `last 14, daily 30, within 7d (Europe/Berlin)`. */
export function policyText({ zone, within, tags = [], ...counts }: RetentionPolicy): string {
  const parts = Object.entries(counts).flatMap(([name, count]) => (count === undefined ? [] : [`${name} ${count}`]));
  if (within !== undefined) parts.push(`within ${within}`);
  if (tags.length > 0) parts.push(`tags ${tags.join(", ")}`);
  return parts.length === 0 ? "everything" : `${parts.join(", ")} (${zone})`;
}

function rulesOf({ within, tags = [], zone: _, ...counts }: RetentionPolicy): KeepRules {
  const duration = within === undefined ? null : parseDuration(within);
  return { ...counts, ...(duration === null ? {} : { within: duration }), tags: tags.map((tag) => [tag]) };
}
