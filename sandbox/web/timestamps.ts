/** How Discord's client writes times. Milliseconds since 1970 throughout; `zone` is an IANA name, absent for the reader's own. */

export type TimestampStyle = "R" | "f" | "F" | "t" | "T" | "d" | "D";

const STYLES: Record<Exclude<TimestampStyle, "R">, Intl.DateTimeFormatOptions> = {
  t: { hour: "numeric", minute: "2-digit" },
  T: { hour: "numeric", minute: "2-digit", second: "2-digit" },
  d: { year: "numeric", month: "2-digit", day: "2-digit" },
  D: { year: "numeric", month: "long", day: "numeric" },
  f: { year: "numeric", month: "long", day: "numeric", hour: "numeric", minute: "2-digit" },
  F: { weekday: "long", year: "numeric", month: "long", day: "numeric", hour: "numeric", minute: "2-digit" },
};

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Largest unit first: how long it lasts, and from what length on it is used (its next smaller unit's round limit, as in Discord). */
const UNITS: { unit: string; ms: number; from: number }[] = [
  { unit: "year", ms: 365 * DAY_MS, from: 320 * DAY_MS },
  { unit: "month", ms: 30 * DAY_MS, from: 26 * DAY_MS },
  { unit: "day", ms: DAY_MS, from: 22 * HOUR_MS },
  { unit: "hour", ms: HOUR_MS, from: 45 * MINUTE_MS },
  { unit: "minute", ms: MINUTE_MS, from: 45 * SECOND_MS },
  { unit: "second", ms: SECOND_MS, from: 0 },
];

/** `<t:…:style>` in words. */
export function timestampWords(at: number, style: TimestampStyle, now: number, zone?: string): string {
  if (style === "R") return relativeWords(at, now);
  return new Intl.DateTimeFormat("en-US", { ...STYLES[style], timeZone: zone }).format(at);
}

/** "3 minutes ago", "in 2 hours". */
export function relativeWords(at: number, now: number): string {
  const distance = Math.abs(at - now);
  const chosen = UNITS.find((unit) => distance >= unit.from) ?? { unit: "second", ms: SECOND_MS };
  const count = Math.max(chosen.unit === "second" ? 0 : 1, Math.round(distance / chosen.ms));
  if (chosen.unit === "second" && count === 0) return "now";
  const words = count === 1 ? `${chosen.unit === "hour" ? "an" : "a"} ${chosen.unit}` : `${count} ${chosen.unit}s`;
  return at < now ? `${words} ago` : `in ${words}`;
}

/** The time beside a message's author: "Today at 3:31 PM". */
export function messageTime(at: number, now: number, zone?: string): string {
  const time = timestampWords(at, "t", now, zone);
  const day = dayOf(at, zone);
  if (day === dayOf(now, zone)) return `Today at ${time}`;
  if (day === dayOf(now - DAY_MS, zone)) return `Yesterday at ${time}`;
  return `${timestampWords(at, "d", now, zone)} ${time}`;
}

function dayOf(at: number, zone?: string): string {
  return new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit", timeZone: zone }).format(at);
}
