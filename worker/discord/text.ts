import type { Instant } from "../../schemas/index.ts";

/** Numbers and texts as people read them in Discord. */

/** How a guild wants numbers and times written: a BCP 47 tag and an IANA zone. */
export interface Format {
  locale: string;
  timeZone: string;
}

export const FORMAT_DEFAULT: Format = { locale: "en-US", timeZone: "UTC" };

/** The functions below, in the language and zone of a guild. */
export function formatter({ locale, timeZone }: Format) {
  return {
    bytes: (value: number) => bytes(value, locale),
    count: (value: number) => count(value, locale),
    duration: (ms: number) => duration(ms, locale),
    plural: (value: number, one: string, many?: string) => plural(value, one, many, locale),
    /** For texts in which Discord shows no times of its own, such as footers and files: `22 Nov 2026, 15:04 CET`. */
    dateTime: (at: Instant) =>
      new Intl.DateTimeFormat(locale, {
        day: "numeric",
        month: "short",
        year: "numeric",
        hour: "2-digit",
        minute: "2-digit",
        timeZone,
        timeZoneName: "short",
      }).format(at),
  };
}

function fixed(value: number, digits: number, locale: string): string {
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `1.4 GB`, in steps of 1,000. */
export function bytes(count: number, locale = FORMAT_DEFAULT.locale): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${fixed(value, digits, locale)} ${UNITS[unit]}`;
}

/** `2 min 5 s`: the two largest units. */
export function duration(ms: number, locale = FORMAT_DEFAULT.locale): string {
  const total = ms / 1000;
  if (total < 9.95) return `${fixed(total, 1, locale)} s`;
  const seconds = Math.round(total);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** `12,345`. */
export function count(value: number, locale = FORMAT_DEFAULT.locale): string {
  return value.toLocaleString(locale);
}

export function plural(value: number, one: string, many = `${one}s`, locale = FORMAT_DEFAULT.locale): string {
  return `${count(value, locale)} ${value === 1 ? one : many}`;
}

/** A time that Discord shows in each reader's own zone. `R` is relative ("5 minutes ago"), `f` is date and time. */
export function time(at: Instant, style: "R" | "f" = "R"): string {
  return `<t:${Math.floor(at / 1000)}:${style}>`;
}

const BAR_CELLS = 20;

/** `▰▰▰▰▱▱▱▱` for a share from 0 to 1. */
export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return "▰".repeat(full) + "▱".repeat(BAR_CELLS - full);
}

/**
 * Text that somebody else wrote, made harmless: markdown is escaped, mentions are broken, control and direction characters are dropped, and
 * it is cut to `max` characters.
 */
export function safe(text: string, max = 200): string {
  const plain = text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, " ").trim();
  const characters = [...plain];
  const cut = characters.length > max ? `${characters.slice(0, max - 1).join("")}…` : plain;
  return cut
    .replace(/[\\`*_~|<>[\]()#]/g, "\\$&")
    .replace(/@/g, "@\u200b")
    .replace(/^([-+]|\d+\.)(?=\s)/, "\\$1")
    .replace(/:\/\//g, ":\u200b//");
}

/** Text that somebody else wrote, for places that know no markdown, such as Discord's list of choices. */
export function plain(text: string, max: number): string {
  const line = text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, " ").trim();
  const characters = [...line];
  return characters.length > max ? `${characters.slice(0, max - 1).join("")}…` : line;
}

/** Inline code that cannot be left: for paths and names. */
export function code(text: string, max = 200): string {
  const plain = text
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, " ")
    .replaceAll("`", "'")
    .trim();
  const characters = [...plain];
  return `\`${characters.length > max ? `…${characters.slice(-(max - 1)).join("")}` : plain || " "}\``;
}
