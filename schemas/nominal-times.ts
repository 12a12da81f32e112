import { Cron } from "croner";
import type { Instant } from "./ids.ts";

/**
 * When a schedule is due: a cron expression on the clock of a time zone. Agent and guild both compute it here, so that they mean the same.
 *
 * - A time that the clock skips (spring forward) is due once, at the first instant after the gap. With every hour (`*`) nothing is moved:
 *   the next hour comes anyway. A whole calendar day that never was (Pacific/Apia, 2011-12-30) has no nominal times.
 * - A time that the clock shows twice (fall back) is due once, the first time; when the hour is `*` or a step such as `*∕2`, both times.
 */

/** Where `CRON_MAX` comes from: `announcedSchedule` in schedules.ts. */
const CRON_MAX = 100;
const DAY_MS = 24 * 60 * 60_000;
const SECOND_MS = 1000;
/** Schedules that are kept ready; a guild or a host has far fewer at work at a time. */
const READY_MAX = 200;

const NICKNAMES: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
};

const FIELDS = "minute, hour, day of month, month, day of week";
const FIELD = /^[0-9A-Za-z*,/#-]+$/;

/**
 * The first nominal time after an instant, or null when there is none any more.
 * @throws RangeError when `cronProblem` would say why
 */
export function nextNominal(cron: string, zone: string, after: Instant): Instant | null {
  const ready = readySchedule(cron, zone);
  return ready.followsClock ? nextOnClock(ready, after) : nextFixed(ready, after);
}

/** The first `max` nominal times after `after`, up to and with `until`. */
export function nominalsBetween(cron: string, zone: string, after: Instant, until: Instant, max: number): Instant[] {
  const found: Instant[] = [];
  let at = nextNominal(cron, zone, after);
  while (at !== null && at <= until && found.length < max) {
    found.push(at);
    at = nextNominal(cron, zone, at);
  }
  return found;
}

/** The last nominal time after `after`, up to and with `until`; null when there is none. */
export function lastNominal(cron: string, zone: string, after: Instant, until: Instant): Instant | null {
  // Where the last hour has none, the last day has few, and so on: nobody counts the minutes of a year.
  for (let span = DAY_MS / 24; ; span *= 24) {
    const from = Math.max(after, until - span);
    let last: Instant | null = null;
    for (let at = nextNominal(cron, zone, from); at !== null && at <= until; at = nextNominal(cron, zone, at)) last = at;
    if (last !== null || from === after) return last;
  }
}

/** What is wrong with a cron expression or its zone, in words for whoever wrote it; null when nothing is. */
export function cronProblem(cron: string, zone: string): string | null {
  const problem = zoneProblem(zone);
  if (problem !== null) return problem;
  const expression = expanded(cron);
  if (expression.length > CRON_MAX) return `has more than ${CRON_MAX} characters`;
  if (expression.startsWith("@")) return `there is no "${cron}". Use ${Object.keys(NICKNAMES).join(", ")}, or five fields: ${FIELDS}`;
  const fields = expression === "" ? [] : expression.split(" ");
  if (fields.length === 6) return `has six fields. Schedules have no seconds: leave that field out, so that five remain: ${FIELDS}`;
  if (fields.length !== 5) return `needs five fields (${FIELDS}), and has ${fields.length}`;
  const odd = fields.find((field) => !FIELD.test(field));
  if (odd !== undefined) return `"${odd}" is not part of a cron expression. Use numbers, names, and * , - /`;
  try {
    // Every combination of day, month, weekday and leap year comes round within 400 years; croner looks on for as long as there are years.
    if (parse(expression).nextRun(new Date(0)) === null) return "never comes: no month that it names has such a day";
  } catch (error) {
    return `is not a cron expression: ${error instanceof Error ? error.message.replace(/^CronPattern: /, "") : String(error)}`;
  }
  return null;
}

/** What is wrong with a time zone; null when nothing is. */
export function zoneProblem(zone: string): string | null {
  // `+02:00` would be taken by `Intl` too, and know no daylight saving.
  const named = /^[A-Za-z]/.test(zone);
  try {
    if (named && new Intl.DateTimeFormat("en-US", { timeZone: zone })) return null;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return `"${zone}" is not a time zone. Use a name of the IANA list, such as Europe/Berlin or UTC`;
}

/** How far the clock of a zone is ahead of UTC at an instant, in milliseconds. */
export function zoneOffset(zone: string, at: Instant): number {
  return offsetAt(clockOf(zone), at);
}

interface ReadySchedule {
  cron: Cron;
  clock: Intl.DateTimeFormat;
  /** The hour field is `*`, a step, or names all 24: due whenever the clock shows the time. */
  followsClock: boolean;
  everyHour: boolean;
}

const ready = new Map<string, ReadySchedule>();

function readySchedule(cron: string, zone: string): ReadySchedule {
  const key = `${zone} ${cron}`;
  const known = ready.get(key);
  if (known !== undefined) return known;
  const problem = cronProblem(cron, zone);
  if (problem !== null) throw new RangeError(problem);
  const expression = expanded(cron);
  const hours = expression.split(" ")[1] ?? "";
  const parsed = parse(expression);
  const everyHour = namesEveryHour(hours);
  const made = { cron: parsed, clock: clockOf(zone), everyHour, followsClock: everyHour || hours.includes("*") };
  if (ready.size >= READY_MAX) ready.clear();
  ready.set(key, made);
  return made;
}

function expanded(cron: string): string {
  const tidy = cron.trim().replaceAll(/\s+/g, " ");
  return NICKNAMES[tidy.toLowerCase()] ?? tidy;
}

/** On a clock without time zones: wall-clock times stand as if they were UTC. */
function parse(expression: string): Cron {
  return new Cron(expression, { utcOffset: 0, mode: "5-part", paused: true });
}

function namesEveryHour(hours: string): boolean {
  const next = new Cron(`0 ${hours} 1 1 *`, { utcOffset: 0, mode: "5-part", paused: true });
  return next.nextRuns(24, new Date(Date.UTC(2023, 11, 31, 23, 59))).every((at) => at.getUTCFullYear() === 2024);
}

/** A moment on the wall clock, in milliseconds as if it were UTC. */
type Wall = number;

function nextWall({ cron }: ReadySchedule, after: Wall): Wall | null {
  return cron.nextRun(new Date(after))?.getTime() ?? null;
}

function nextFixed(schedule: ReadySchedule, after: Instant): Instant | null {
  const { clock } = schedule;
  let wall: Wall | null = Math.max(after + offsetAt(clock, after), shownUntil(clock, after));
  for (;;) {
    wall = nextWall(schedule, wall);
    if (wall === null) return null;
    const { shown, moved } = instantsOf(clock, wall);
    const at = shown[0] ?? moved;
    if (at !== undefined && at > after) return at;
  }
}

function nextOnClock(schedule: ReadySchedule, after: Instant): Instant | null {
  const { clock, everyHour } = schedule;
  const again = nextShownAgain(schedule, after);
  let wall: Wall | null = after + offsetAt(clock, after);
  for (;;) {
    wall = nextWall(schedule, wall);
    if (wall === null) return again;
    const { shown, moved } = instantsOf(clock, wall);
    const at = shown.find((it) => it > after) ?? (everyHour ? undefined : moved);
    if (at !== undefined && at > after) return again === null ? at : Math.min(at, again);
  }
}

/** The first wall-clock time that matches after the clock has been put back within a day from now. */
function nextShownAgain(schedule: ReadySchedule, after: Instant): Instant | null {
  const { clock } = schedule;
  const [now, later] = [offsetAt(clock, after), offsetAt(clock, after + DAY_MS)];
  if (later >= now) return null;
  const change = changeBetween(clock, after, after + DAY_MS);
  const wall = nextWall(schedule, change + later - 1);
  return wall !== null && wall < change + now ? wall - later : null;
}

/** Up to where the clock had come when it was last put back, within a day before. */
function shownUntil(clock: Intl.DateTimeFormat, at: Instant): Wall {
  const [before, now] = [offsetAt(clock, at - DAY_MS), offsetAt(clock, at)];
  return before <= now ? Number.NEGATIVE_INFINITY : changeBetween(clock, at - DAY_MS, at) + before - 1;
}

/**
 * The instants at which a clock shows a time: one, two, or none. In the last case `moved` is the first instant after the gap, unless the
 * whole day is missing.
 */
function instantsOf(clock: Intl.DateTimeFormat, wall: Wall): { shown: Instant[]; moved?: Instant } {
  // Clocks are between 12 hours behind UTC and 14 ahead of it, so a day to each side holds the instant.
  const [before, later] = [offsetAt(clock, wall - DAY_MS), offsetAt(clock, wall + DAY_MS)];
  const shown = [...new Set([before, later])].map((offset) => wall - offset).filter((at) => at + offsetAt(clock, at) === wall);
  if (shown.length > 0 || before === later) return { shown: shown.sort((a, b) => a - b) };
  const change = changeBetween(clock, wall - DAY_MS, wall + DAY_MS);
  const midnight = Math.floor(wall / DAY_MS) * DAY_MS;
  const dayMissing = change + before <= midnight && midnight + DAY_MS <= change + later;
  return dayMissing ? { shown } : { shown, moved: change };
}

/** The first instant under another offset, when there is one change between the two. */
function changeBetween(clock: Intl.DateTimeFormat, from: Instant, to: Instant): Instant {
  const before = offsetAt(clock, from);
  let low = Math.floor(from / SECOND_MS);
  let high = Math.ceil(to / SECOND_MS);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(clock, middle * SECOND_MS) === before) low = middle;
    else high = middle;
  }
  return high * SECOND_MS;
}

function clockOf(zone: string): Intl.DateTimeFormat {
  const two = "2-digit";
  return new Intl.DateTimeFormat("en-US", {
    ...{ timeZone: zone, hourCycle: "h23", year: "numeric", month: two, day: two, hour: two, minute: two, second: two },
  });
}

function offsetAt(clock: Intl.DateTimeFormat, at: Instant): number {
  const second = Math.floor(at / SECOND_MS) * SECOND_MS;
  const [month = 0, day = 0, year = 0, hours = 0, minutes = 0, seconds = 0] = (clock.format(second).match(/\d+/g) ?? []).map(Number);
  return Date.UTC(year, month - 1, day, hours, minutes, seconds) - second;
}
