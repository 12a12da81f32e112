import type { AnnouncedSchedule, Instant } from "../../schemas/index.ts";
import { nextNominal, nominalsBetween } from "../../schemas/nominal-times.ts";

/** Pure rules of missed backups: which nominal times count, when one is missing, and what settles it. */

/** A nominal time that nothing came of. */
export interface Miss {
  nominal: Instant;
  /** When a run of it began that has not ended; null when none began. */
  startedAt: Instant | null;
}

/** A missed one whose end was told after all. `inTime`: only the report was late, not the run. */
export interface LateRun {
  nominal: Instant;
  how: "succeeded" | "failed" | "skipped";
  at: Instant;
  inTime: boolean;
}

/** Why it probably is. */
export type MissedCause =
  | { kind: "host-offline"; seenAt: Instant | null }
  | { kind: "agent-started-later"; startedAt: Instant }
  | { kind: "pause-over"; until: Instant }
  | { kind: "clock-skew" }
  | { kind: "not-ended" }
  | { kind: "under-way" }
  | { kind: "silent" };

/** Backups of one schedule are missing: one notice, however many nominal times there are. */
export interface MissedNotice {
  kind: "backup-missed";
  host: string;
  server: string;
  schedule: string;
  /** The newest nominal times, oldest first. */
  missed: Miss[];
  /** Older ones, which are only counted. */
  more: number;
  first: Instant;
  cause: MissedCause;
  late: LateRun[];
  /** Up to this nominal time it has been looked whether a run began. */
  judged: Instant;
  changedAt: Instant;
  overAt: Instant | null;
  /** How it ended: a later run succeeded; all were made after all; nobody waits for them any more. */
  end: { how: "back"; at: Instant } | { how: "settled" | "paused" | "gone" } | null;
}

/** Nominal times that a notice names; the rest is counted. */
export const MISSED_NAMED_MAX = 10;
/** While something is missing, its message changes at most so often, in milliseconds. */
export const CHANGE_EVERY_MS = 60 * 60_000;
/** A report that was made in time may come so late, in milliseconds: agents tell of a busy server only when the grace is over. */
export const REPORT_SLACK_MS = 60_000;
/** A host that announces its servers has so long to deliver what it had kept, in milliseconds. */
export const SETTLE_MS = 2 * 60_000;
/** Nominal times looked at in one go; the next ones an hour later. */
const JUDGED_MAX = 1500;

/** What is known of a schedule besides its announcement. */
export interface Known {
  /** When the host was enrolled, and when it announced the schedule last. */
  enrolledAt: Instant;
  announcedAt: Instant;
  /** The newest nominal time up to now of which a run is known. */
  latest: Instant | null;
  /** The newest one whose run succeeded, or was not needed. */
  good: Instant | null;
  /** Runs that began and have not ended. */
  unfinished: readonly { nominal: Instant; startedAt: Instant }[];
  notice: MissedNotice | null;
}

/** The next nominal time of an announced schedule; null when there is none, or when what its host announced cannot be read. */
export function nextOf({ cron, zone }: AnnouncedSchedule, after: Instant): Instant | null {
  try {
    return nextNominal(cron, zone, after);
  } catch (error) {
    // `/schedule list` says what is wrong with it.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** From when on nominal times count; null while the schedule is paused without an end. */
export function countsFrom({ since, paused, pausedUntil }: AnnouncedSchedule, enrolledAt: Instant): Instant | null {
  if (paused && pausedUntil === undefined) return null;
  // A pause with an end ends by itself, also on a host that cannot tell.
  return Math.max(since, enrolledAt, paused ? (pausedUntil ?? 0) : 0);
}

/** When something can next be found missing; null when nothing can. */
export function nextJudgement(schedule: AnnouncedSchedule, known: Known): Instant | null {
  const from = countsFrom(schedule, known.enrolledAt);
  if (from === null) return null;
  const next = nextOf(schedule, awaitedAfter(from, known));
  const dues = hanging(from, known).map(({ nominal }) => nominal + schedule.graceFinishSeconds * 1000);
  if (next !== null) dues.push(next + schedule.graceStartSeconds * 1000);
  if (dues.length === 0) return null;
  const open = openOf(known);
  const earliest = open === null ? 0 : open.changedAt + CHANGE_EVERY_MS;
  return Math.max(Math.min(...dues) + REPORT_SLACK_MS, known.announcedAt + SETTLE_MS, earliest);
}

/** What is missing now and was not told before, oldest first. `judged`: up to which nominal time that was looked at. */
export function findMissed(schedule: AnnouncedSchedule, known: Known, now: Instant): { missed: Miss[]; judged: Instant } {
  const { cron, zone, graceStartSeconds, graceFinishSeconds } = schedule;
  const from = countsFrom(schedule, known.enrolledAt);
  if (from === null) return { missed: [], judged: 0 };
  const after = awaitedAfter(from, known);
  const until = now - REPORT_SLACK_MS;
  const readable = nextOf(schedule, after) !== null;
  const unbegun = readable ? nominalsBetween(cron, zone, after, until - graceStartSeconds * 1000, JUDGED_MAX) : [];
  const unended = hanging(from, known).filter(({ nominal }) => nominal + graceFinishSeconds * 1000 <= until);
  const missed = [...unbegun.map((nominal) => ({ nominal, startedAt: null })), ...unended];
  return { missed: missed.sort((a, b) => a.nominal - b.nominal), judged: Math.max(after, unbegun.at(-1) ?? 0) };
}

/** The notice with what was found; `fresh` when nothing was missing before. */
export function withMissed(
  known: Known,
  found: { missed: Miss[]; judged: Instant },
  about: Pick<MissedNotice, "host" | "server" | "schedule" | "cause">,
  now: Instant,
): { notice: MissedNotice; fresh: boolean } {
  const open = openOf(known);
  const all = [...(open?.missed ?? []), ...found.missed].sort((a, b) => a.nominal - b.nominal);
  const missed = all.slice(-MISSED_NAMED_MAX);
  const notice: MissedNotice = {
    kind: "backup-missed",
    ...about,
    missed,
    more: (open?.more ?? 0) + all.length - missed.length,
    first: Math.min(open?.first ?? Number.POSITIVE_INFINITY, all[0]?.nominal ?? now),
    late: open?.late ?? [],
    judged: found.judged,
    changedAt: now,
    overAt: null,
    end: null,
  };
  return { notice, fresh: open === null };
}

/** A run as a report tells of it. */
export interface ReportedRun {
  nominal: Instant;
  startedAt: Instant;
  end: { how: LateRun["how"]; at: Instant; unneeded: boolean } | null;
}

/** What a report does to a notice; null when nothing. `graces` are null when the schedule is no longer announced. */
export function afterRun(
  notice: MissedNotice,
  run: ReportedRun,
  graces: Pick<AnnouncedSchedule, "graceStartSeconds" | "graceFinishSeconds"> | null,
  now: Instant,
): MissedNotice | null {
  const { nominal, startedAt, end } = run;
  const named = notice.missed.some((miss) => miss.nominal === nominal);
  const counted = !named && notice.more > 0 && nominal >= notice.first && nominal < (notice.missed[0]?.nominal ?? Number.POSITIVE_INFINITY);
  if (end === null) {
    if (!named) return null;
    const missed = notice.missed.map((miss) => (miss.nominal === nominal ? { nominal, startedAt } : miss));
    return { ...notice, missed, cause: { kind: "under-way" } };
  }
  // It is back with the newest missed one too: an agent that was away makes up for all by one run.
  const back = (end.how === "succeeded" || end.unneeded) && nominal >= (notice.missed.at(-1)?.nominal ?? notice.judged);
  if (!named && !counted && !(back && notice.overAt === null)) return null;
  const missed = notice.missed.filter((miss) => miss.nominal !== nominal);
  const more = notice.more - (counted ? 1 : 0);
  const late = named || counted ? [...notice.late, lateRun(run, end, graces)].slice(-MISSED_NAMED_MAX) : notice.late;
  const after = { ...notice, missed, more, late };
  if (missed.length === 0 && more === 0) return { ...after, overAt: notice.overAt ?? now, end: { how: "settled" } };
  return back && notice.overAt === null ? { ...after, overAt: now, end: { how: "back", at: end.at } } : after;
}

/** Nobody waits for the schedule any more. */
export function withoutSchedule(notice: MissedNotice, how: "paused" | "gone", now: Instant): MissedNotice {
  return { ...notice, overAt: now, end: { how } };
}

function lateRun(
  { nominal, startedAt }: ReportedRun,
  { how, at }: { how: LateRun["how"]; at: Instant },
  graces: Pick<AnnouncedSchedule, "graceStartSeconds" | "graceFinishSeconds"> | null,
): LateRun {
  const inTime =
    graces !== null && startedAt <= nominal + graces.graceStartSeconds * 1000 && at <= nominal + graces.graceFinishSeconds * 1000;
  return { nominal, how, at, inTime };
}

function openOf({ notice }: Known): MissedNotice | null {
  return notice === null || notice.overAt !== null ? null : notice;
}

/** The instant behind which the next nominal time is that no run is known of. A later run makes up for earlier times. */
function awaitedAfter(from: Instant, { latest, notice }: Known): Instant {
  return Math.max(from - 1, latest ?? 0, notice?.judged ?? 0);
}

/** Runs that began, have not ended, were not told of, and that no later one has made up for. */
function hanging(from: Instant, { unfinished, good, notice }: Known): Miss[] {
  const told = ({ nominal }: { nominal: Instant }) =>
    notice !== null &&
    (notice.missed.some((miss) => miss.nominal === nominal) ||
      (notice.more > 0 && nominal >= notice.first && nominal < (notice.missed[0]?.nominal ?? 0)));
  const open = unfinished.filter((run) => run.nominal >= from && run.nominal > (good ?? -1) && !told(run));
  return open.map(({ nominal, startedAt }) => ({ nominal, startedAt }));
}
