import type { AnnouncedSchedule, ServerId } from "../../schemas/index.ts";
import type { ScheduleConfig } from "../config/host-config.ts";
import type { ScheduleRow } from "../state/schedules-table.ts";

/**
 * A schedule that begins further ahead than this was taken up under a clock that was wrong: it begins anew, or it would stand still until then.
 * In milliseconds; smaller steps are what time services do.
 */
const AHEAD_MAX_MS = 60_000;

/** A schedule as the config has it now. One that is new, or runs at other times than before, begins now. */
export function takenUp(known: ScheduleRow | undefined, server: ServerId, config: ScheduleConfig, now: number): ScheduleRow {
  const { name, cron, zone, graceStartMs, graceFinishMs } = config;
  const grace = { graceStartSeconds: Math.round(graceStartMs / 1000), graceFinishSeconds: Math.round(graceFinishMs / 1000) };
  if (known === undefined) return { server, name, cron, zone, ...grace, since: now, paused: false, settled: [] };
  const same = known.cron === cron && known.zone === zone;
  // What was settled stays so: no key is used twice.
  return { ...known, cron, zone, ...grace, since: same ? known.since : now };
}

/** Paused, until a time or until somebody resumes it. A time that has passed pauses nothing. */
export function paused(row: ScheduleRow, until: number | undefined, now: number): ScheduleRow {
  if (until !== undefined && until <= now) return row;
  const { pausedUntil: _, ...rest } = row;
  return { ...rest, paused: true, ...(until === undefined ? {} : { pausedUntil: until }) };
}

/** At work again from `at` on: what the pause held back is not made up for. */
export function resumed(row: ScheduleRow, at: number): ScheduleRow {
  if (!row.paused) return row;
  const { pausedUntil: _, ...rest } = row;
  return { ...rest, paused: false, since: at };
}

/** As time alone changes it: a pause that is over, a clock that was far ahead and is not any more. */
export function asOf(row: ScheduleRow, now: number): ScheduleRow {
  const { pausedUntil } = row;
  const awake = row.paused && pausedUntil !== undefined && pausedUntil <= now ? resumed(row, pausedUntil) : row;
  return awake.since - now > AHEAD_MAX_MS ? { ...awake, since: now } : awake;
}

/** What the guild is told. It changes only when the schedule does. */
export function announcedOf(row: ScheduleRow): AnnouncedSchedule {
  const { server: _server, settled: _settled, lastStartedAt: _lastStartedAt, ...told } = row;
  return told;
}
