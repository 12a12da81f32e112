import { describe, expect, test } from "vitest";
import { cronProblem, lastNominal, nominalsBetween } from "./nominal-times.ts";
import { randomBelow } from "./testing/random.ts";

/**
 * A judge of nominal-times.ts that shares no code with it: it goes through time minute by minute and reads the clock of the zone. Cron
 * expressions, zones and years are random; RECONSYNC_SEED gives another seed, RECONSYNC_LONG=1 more rounds.
 */

const DAY = 24 * 60 * 60_000;
const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const ROUNDS = process.env.RECONSYNC_LONG === "1" ? 300 : 15;
const MINUTE = 60_000;
const ZONES = [
  ...["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "America/Havana", "Asia/Tehran"],
  ...["America/St_Johns", "Africa/Casablanca", "Pacific/Chatham", "Asia/Kathmandu", "America/Sao_Paulo", "Europe/Dublin", "UTC"],
  ...["Asia/Gaza", "Africa/Cairo", "Antarctica/Troll", "America/Caracas", "Pacific/Kwajalein", "Asia/Beirut", "America/Asuncion"],
];

/** A field as it is written, and what it means. Null: any. */
interface Field {
  text: string;
  values: Set<number>;
  star: boolean;
}

function field(random: (below: number) => number, low: number, high: number): Field {
  const all = Array.from({ length: high - low + 1 }, (_, n) => low + n);
  const one = () => low + random(high - low + 1);
  switch (random(6)) {
    case 0:
    case 1:
      return { text: "*", values: new Set(all), star: true };
    case 2: {
      const step = 2 + random(Math.max(1, Math.floor((high - low) / 2)));
      return { text: `*/${step}`, values: new Set(all.filter((n) => (n - low) % step === 0)), star: true };
    }
    case 3: {
      const [from, to] = [one(), one()].sort((a, b) => a - b) as [number, number];
      return { text: `${from}-${to}`, values: new Set(all.filter((n) => n >= from && n <= to)), star: false };
    }
    case 4: {
      const some = [one(), one(), one()];
      return { text: some.join(","), values: new Set(some), star: false };
    }
    default: {
      const value = one();
      return { text: String(value), values: new Set([value]), star: false };
    }
  }
}

interface Clock {
  minute: number;
  hour: number;
  day: number;
  month: number;
  weekday: number;
}

function clockReader(zone: string): (at: number) => string {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
  return (at) => format.format(at);
}

/** `2026-11-22 04:05` as numbers. */
function read(shown: string): Clock {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = shown.split(/[- :]/).map(Number);
  return { minute, hour, day, month, weekday: new Date(Date.UTC(year, month - 1, day)).getUTCDay() };
}

const minuteAfter = (shown: string) =>
  new Date(Date.parse(`${shown.replace(" ", "T")}Z`) + MINUTE).toISOString().slice(0, 16).replace("T", " ");

describe("against a judge that goes through time minute by minute", () => {
  test(`no time is missed and none comes twice, seed ${SEED}`, { timeout: 600_000 }, () => {
    const random = randomBelow(SEED);
    for (let round = 0; round < ROUNDS; round += 1) {
      const zone = ZONES[random(ZONES.length)] ?? "UTC";
      const from = windowStart(zone, 1975 + random(60), random);
      const to = from + (3 + random(4)) * DAY;
      const shownAt = clockReader(zone);
      const before: string[] = [];
      for (let at = from - 2 * DAY; at < to + 2 * DAY; at += MINUTE) before.push(shownAt(at));
      const first = from - 2 * DAY;
      const days = new Set(before.map((shown) => shown.slice(0, 10)));
      for (let n = 0; n < 12; n += 1) {
        const fields = [
          field(random, 0, 59),
          field(random, 0, 23),
          field(random, 1, 31),
          field(random, 1, 12),
          field(random, 0, 6),
        ] as const;
        const [minutes, hours, monthDays, months, weekdays] = fields;
        const cron = fields.map(({ text }) => text).join(" ");
        // What never comes at all is refused.
        if (cronProblem(cron, zone) !== null) continue;
        const onDay = ({ day, weekday }: Clock) => {
          if (monthDays.text === "*") return weekdays.values.has(weekday);
          if (weekdays.text === "*") return monthDays.values.has(day);
          return monthDays.values.has(day) || weekdays.values.has(weekday);
        };
        const matches = (clock: Clock) =>
          minutes.values.has(clock.minute) && hours.values.has(clock.hour) && months.values.has(clock.month) && onDay(clock);
        const everyHour = hours.values.size === 24;
        const follows = hours.star || everyHour;
        const seen = new Set<string>();
        const expected: number[] = [];
        for (const [index, shown] of before.entries()) {
          const at = first + index * MINUTE;
          const last = before[index - 1];
          let isDue = matches(read(shown)) && (follows || !seen.has(shown));
          seen.add(shown);
          if (last !== undefined && shown > minuteAfter(last) && !everyHour) {
            for (let gone = minuteAfter(last); gone < shown; gone = minuteAfter(gone)) {
              if (days.has(gone.slice(0, 10)) && matches(read(gone))) isDue = true;
            }
          }
          if (isDue && at > from && at <= to) expected.push(at);
        }
        const found = nominalsBetween(cron, zone, from, to, 20_000);
        expect(found, `round ${round}: "${cron}" in ${zone} from ${new Date(from).toISOString()}, seed ${SEED}`).toEqual(expected);
        expect(lastNominal(cron, zone, from, to), `the newest of "${cron}" in ${zone}`).toBe(expected.at(-1) ?? null);
      }
    }
  });
});

/** Mostly a few days before a change of the clock in that year, when there is one. */
function windowStart(zone: string, year: number, random: (below: number) => number): number {
  const changes: number[] = [];
  const start = Date.UTC(year, 0, 1);
  const shownAt = clockReader(zone);
  for (let day = 0; day < 365; day += 1) {
    const at = start + day * DAY;
    if (shownAt(at).slice(11) !== shownAt(at + DAY).slice(11) || shownAt(at).slice(0, 10) === shownAt(at + DAY).slice(0, 10))
      changes.push(at);
  }
  const change = changes[random(Math.max(1, changes.length))];
  const at = change === undefined || random(5) === 0 ? start + random(360) * DAY : change - random(3) * DAY;
  return at + random(24 * 60) * MINUTE;
}
