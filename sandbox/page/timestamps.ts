/** Discord's timestamp styles, "Message Formatting" in its reference. */
export const TIMESTAMP_STYLES = ["t", "T", "d", "D", "f", "F", "s", "S", "R"] as const;
export type TimestampStyle = (typeof TIMESTAMP_STYLES)[number];

/** Largest distance from 1970 that a JavaScript date can hold, in seconds. */
export const UNIX_MAX_S = 8_640_000_000_000;

export interface TimeView {
  /** Milliseconds since 1970. */
  now: number;
  /** IANA zone; absent takes the reader's own. */
  timeZone?: string;
}

const LOCALE = "en-US";
const SHORT: Intl.DateTimeFormatOptions = { hour: "numeric", minute: "2-digit" };
const LONG_DAY: Intl.DateTimeFormatOptions = { year: "numeric", month: "long", day: "numeric" };

const FORMATS: Record<Exclude<TimestampStyle, "R">, Intl.DateTimeFormatOptions> = {
  t: SHORT,
  T: { ...SHORT, second: "2-digit" },
  d: { year: "numeric", month: "numeric", day: "numeric" },
  D: LONG_DAY,
  f: { ...LONG_DAY, ...SHORT },
  F: { weekday: "long", ...LONG_DAY, ...SHORT },
  s: { year: "numeric", month: "numeric", day: "numeric", ...SHORT },
  S: { year: "numeric", month: "numeric", day: "numeric", ...SHORT, second: "2-digit" },
};

/** What Discord shows for `<t:unix:style>`. */
export function timestampWords(unix: number, style: TimestampStyle, { now, timeZone }: TimeView): string {
  if (style === "R") return relativeWords(unix * 1000 - now);
  return format(unix * 1000, FORMATS[style], timeZone);
}

/** `in 5 minutes`, `an hour ago`: distance from now in milliseconds, positive in the future. */
export function relativeWords(distanceMs: number): string {
  const words = distance(Math.abs(distanceMs) / 1000);
  return distanceMs > 0 ? `in ${words}` : `${words} ago`;
}

/** Upper bound of each unit in seconds, its length in seconds, and the words for one and for many. */
const UNITS: readonly [below: number, length: number, one: string, many: string][] = [
  [59.5, 1, "1 second", "seconds"],
  [45 * 60, 60, "a minute", "minutes"],
  [22 * 3600, 3600, "an hour", "hours"],
  [26 * 86_400, 86_400, "a day", "days"],
  [320 * 86_400, 30.44 * 86_400, "a month", "months"],
  [Number.POSITIVE_INFINITY, 365.25 * 86_400, "a year", "years"],
];

function distance(seconds: number): string {
  for (const [below, length, one, many] of UNITS) {
    if (seconds >= below) continue;
    const count = Math.round(seconds / length);
    // Just past the bound of the smaller unit, one of the larger is not full yet.
    if (length > 1 && count <= 1) return one;
    return count === 1 ? one : `${count} ${many}`;
  }
  return "ever";
}

/** The time beside an author's name: `Today at 2:05 PM`, `Yesterday at …`, `11/20/2026 2:05 PM`. */
export function messageTime(at: number, { now, timeZone }: TimeView): string {
  const time = format(at, SHORT, timeZone);
  const days = dayNumber(now, timeZone) - dayNumber(at, timeZone);
  if (days === 0) return `Today at ${time}`;
  if (days === 1) return `Yesterday at ${time}`;
  return `${format(at, { year: "numeric", month: "2-digit", day: "2-digit" }, timeZone)} ${time}`;
}

/** Heading of the line between two days: `November 22, 2026`. */
export function dayWords(at: number, timeZone?: string): string {
  return format(at, LONG_DAY, timeZone);
}

export function shortTime(at: number, timeZone?: string): string {
  return format(at, SHORT, timeZone);
}

/** Number of the calendar day in a zone; equal for two times of one day. */
export function dayNumber(at: number, timeZone?: string): number {
  const parts = new Intl.DateTimeFormat("en-CA", { ...zone(timeZone), year: "numeric", month: "2-digit", day: "2-digit" }).format(at);
  return Date.parse(`${parts}T00:00:00Z`) / 86_400_000;
}

function format(at: number, options: Intl.DateTimeFormatOptions, timeZone?: string): string {
  // Some versions put a narrow no-break space before AM and PM.
  return new Intl.DateTimeFormat(LOCALE, { ...options, ...zone(timeZone) }).format(at).replaceAll("\u202f", " ");
}

function zone(timeZone: string | undefined): Intl.DateTimeFormatOptions {
  return timeZone === undefined ? {} : { timeZone };
}
