import type { Instant } from "../../schemas/index.ts";

/** Numbers and texts as people read them in Discord. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `1.4 GB`, in steps of 1,000. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `2 min 5 s`: the two largest units. */
export function duration(ms: number): string {
  const total = ms / 1000;
  if (total < 9.95) return `${total.toFixed(1)} s`;
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
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
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

/** Inline code that cannot be left: for paths and names. */
export function code(text: string, max = 200): string {
  const plain = text
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, " ")
    .replaceAll("`", "'")
    .trim();
  const characters = [...plain];
  return `\`${characters.length > max ? `…${characters.slice(-(max - 1)).join("")}` : plain || " "}\``;
}
