/** Times as Go's time.RFC3339Nano has them, in nanoseconds since 1970. */

export const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;
const MS_PER_S = 1000n;
/** JavaScript's dates end there, in seconds before and after 1970. */
const DATE_SECONDS_MAX = 8_640_000_000_000n;
/** The last year that RFC 3339 can write; restic moves times into it too. */
const YEAR_MAX = 9999;
/** When it is over, in seconds after 1970. */
const YEAR_10000 = BigInt(Date.UTC(YEAR_MAX + 1, 0, 1)) / MS_PER_S;
const SECONDS_PER_DAY = 86_400;

const RFC3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/;

/** In UTC, with as many decimals of a second as are needed. Years before 0 and after 9999 become these. */
export function formatTime(ns: bigint): string {
  let seconds = ns / NS_PER_S;
  let fraction = ns % NS_PER_S;
  if (fraction < 0n) {
    fraction += NS_PER_S;
    seconds -= 1n;
  }
  const decimals = fraction === 0n ? "" : `.${fraction.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return `${wholeSeconds(seconds)}${decimals}Z`;
}

function wholeSeconds(seconds: bigint): string {
  if (seconds < 0n || seconds >= YEAR_10000) return farSeconds(seconds);
  const second = Number(seconds);
  const ofDay = second % SECONDS_PER_DAY;
  const midnight = second - ofDay;
  if (midnight !== lastDay.midnight) lastDay = { midnight, text: new Date(midnight * 1000).toISOString().slice(0, 11) };
  return `${lastDay.text}${twoDigits(Math.floor(ofDay / 3600))}:${twoDigits(Math.floor(ofDay / 60) % 60)}:${twoDigits(ofDay % 60)}`;
}

/** Files of a world mostly changed on a few days: a date is made once for a row of them. */
let lastDay = { midnight: Number.NaN, text: "" };

const twoDigits = (value: number) => (value < 10 ? `0${value}` : `${value}`);

/** Before 1970, and from 10000 on. */
function farSeconds(seconds: bigint): string {
  const limited = seconds > DATE_SECONDS_MAX ? DATE_SECONDS_MAX : seconds < -DATE_SECONDS_MAX ? -DATE_SECONDS_MAX : seconds;
  const date = new Date(Number(limited * MS_PER_S));
  const year = date.getUTCFullYear();
  if (year < 0 || year > YEAR_MAX) date.setUTCFullYear(Math.min(YEAR_MAX, Math.max(0, year)));
  return date.toISOString().slice(0, 19);
}

/** Null when it is no such time. */
export function parseTime(text: string): bigint | null {
  if (text === last.text) return last.ns;
  last = { text, ns: parse(text) };
  return last.ns;
}

/** A file's three times are mostly the same one. */
let last: { text: string; ns: bigint | null } = { text: "", ns: null };

function parse(text: string): bigint | null {
  const [, whole, decimals = "", zone] = RFC3339.exec(text) ?? [];
  if (whole === undefined || zone === undefined) return null;
  const ms = Date.parse(`${whole}${zone}`);
  return Number.isNaN(ms) ? null : BigInt(ms) * NS_PER_MS + BigInt(decimals.padEnd(9, "0"));
}
