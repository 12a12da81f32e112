import type { Instant } from "../../schemas/index.ts";
import { zoneOffset } from "../../schemas/nominal-times.ts";

/** Longest pause that ends by itself, in milliseconds. */
export const PAUSE_MAX_MS = 366 * 24 * 60 * 60_000;
/** Shortest, in milliseconds: schedules have no finer times. */
export const PAUSE_MIN_MS = 60_000;

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const SPAN = /^(?:(\d{1,3})w)?(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m(?:in)?)?$/i;
const LOCAL = /^(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2})$/;

/** When a pause ends: `2h`, `3d`, `1w2d`, or a date and time in the guild's zone. A string says what is wrong with the text. */
export function parseUntil(text: string, timeZone: string, now: Instant): { at: Instant } | string {
  const compact = text.replaceAll(/\s+/g, "");
  const span = SPAN.exec(compact);
  if (span !== null && compact !== "") {
    const [weeks, days, hours, minutes] = span.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number];
    return bounded(now + (weeks * 7 + days) * DAY_MS + (hours * 60 + minutes) * MINUTE_MS, now);
  }
  const local = LOCAL.exec(text.trim());
  if (local === null) return `write it as 2h, 3d or 1w, or as a date and time in ${timeZone} such as 2026-12-24 18:00`;
  const at = instantOf(local.slice(1).map(Number), timeZone);
  return typeof at === "string" ? at : bounded(at, now);
}

function bounded(at: Instant, now: Instant): { at: Instant } | string {
  if (at < now + PAUSE_MIN_MS) return "it must be at least a minute from now";
  return at > now + PAUSE_MAX_MS ? "it must be within a year; without it the pause has no end" : { at };
}

/** The instant at which the clocks of a zone show a time; the first one when they show it twice. */
export function instantOf([year = 0, month = 0, day = 0, hour = 0, minute = 0]: number[], zone: string): Instant | string {
  const wall = Date.UTC(year, month - 1, day, hour, minute);
  const read = new Date(wall);
  const same = read.getUTCMonth() === month - 1 && read.getUTCDate() === day && read.getUTCHours() === hour && minute < 60;
  if (!same) return "there is no such date or time";
  // Clocks are less than a day from UTC, so these are the offsets before and after any change at that time.
  const offsets = [zoneOffset(zone, wall - DAY_MS), zoneOffset(zone, wall + DAY_MS)];
  const shown = offsets.map((offset) => wall - offset).filter((at) => at + zoneOffset(zone, at) === wall);
  return shown.length === 0 ? `the clocks in ${zone} skip that time` : Math.min(...shown);
}
