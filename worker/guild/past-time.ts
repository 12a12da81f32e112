import type { Instant } from "../../schemas/index.ts";
import { zoneOffset } from "../../schemas/nominal-times.ts";
import { instantOf } from "./until.ts";

/** How far back a time may lie, in milliseconds: longer than anything is kept, so that a typing error shows. */
export const PAST_MAX_MS = 20 * 366 * 24 * 60 * 60_000;

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;
const SPAN = /^(?:(\d{1,3})w)?(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m(?:in)?)?(?:ago)?$/i;
const LOCAL = /^(\d{4})-(\d{2})-(\d{2})(?:(?:\s+|T)(\d{1,2}):(\d{2}))?$/i;
const RELATIVE = /^(?:(today|yesterday)(?:\s+|$))?(?:(\d{1,2}):(\d{2}))?$/i;

/**
 * A time that has been: `2026-11-22 14:30`, `2026-11-22`, `yesterday 18:00`, `yesterday`, `18:00`, `2h ago`, in a zone. What names a minute
 * means up to its end, and what names a day up to the end of the day: whoever reads 14:30 in a list of backups and types it means that one.
 * A string says what is wrong with the text.
 */
export function parsePast(text: string, timeZone: string, now: Instant): { at: Instant } | string {
  const trimmed = text.trim();
  const compact = trimmed.replaceAll(/\s+/g, "");
  const span = SPAN.exec(compact);
  if (span !== null && /\d/.test(compact)) {
    const [weeks, days, hours, minutes] = span.slice(1, 5).map((part) => Number(part ?? 0)) as [number, number, number, number];
    return bounded(now - (weeks * 7 + days) * DAY_MS - (hours * 60 + minutes) * MINUTE_MS, now);
  }
  const local = LOCAL.exec(trimmed);
  if (local !== null) {
    const [year = 0, month = 0, day = 0] = local.slice(1, 4).map(Number);
    return upTo({ year, month, day }, local[4], local[5], timeZone, now);
  }
  const relative = RELATIVE.exec(trimmed);
  if (relative === null || trimmed === "") {
    return `write it as 2026-11-22 14:30, yesterday 18:00 or 2h ago; dates and times are read in ${timeZone}`;
  }
  const [, word, hour, minute] = relative;
  return upTo(dayOf(now, timeZone, word?.toLowerCase() === "yesterday" ? 1 : 0), hour, minute, timeZone, now);
}

interface Day {
  year: number;
  month: number;
  day: number;
}

/** The date that the clocks of a zone show, some days ago. */
function dayOf(now: Instant, timeZone: string, ago: number): Day {
  const shown = new Date(now + zoneOffset(timeZone, now) - ago * DAY_MS);
  return { year: shown.getUTCFullYear(), month: shown.getUTCMonth() + 1, day: shown.getUTCDate() };
}

function upTo({ year, month, day }: Day, hour: string | undefined, minute: string | undefined, zone: string, now: Instant) {
  const whole = hour === undefined;
  const at = instantOf([year, month, day, whole ? 23 : Number(hour), whole ? 59 : Number(minute)], zone);
  if (typeof at === "string") return at;
  // Today means up to now.
  return bounded(whole && at > now && at - now < DAY_MS ? now : at + MINUTE_MS - 1, now);
}

function bounded(at: Instant, now: Instant): { at: Instant } | string {
  // The minute that runs now has not ended, but it has been named.
  if (at >= now + MINUTE_MS) return "it must be in the past";
  return at < now - PAST_MAX_MS ? "it is too long ago" : { at: Math.min(at, now) };
}
