/** A moment as the calendar and the clock of a time zone show it. */
export interface WallTime {
  year: number;
  /** 1 to 12. */
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

const DAY_MS = 86_400_000;

/** Reads moments in one time zone. */
export class ZoneCalendar {
  readonly #format: Intl.DateTimeFormat;

  /** @param timeZone IANA name. @throws RangeError for one that is not known */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      calendar: "iso8601",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /** @param ms Milliseconds since the epoch. */
  wallTime(ms: number): WallTime {
    const wall: WallTime = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
    for (const { type, value } of this.#format.formatToParts(ms)) if (type in wall) wall[type as keyof WallTime] = Number(value);
    return wall;
  }

  /** The moment so many calendar years, months and days before another one, at the same time of day, and so many hours before that. */
  before(ms: number, ago: Duration): number {
    const { year, month, day, hour, minute, second } = this.wallTime(ms);
    const wanted = Date.UTC(year - ago.years, month - 1 - ago.months, day - ago.days, hour, minute, second) + (ms % 1000);
    // The offset of the zone then may be another one than now; asked twice, since the first answer may lie on the other side of a change.
    let moment = wanted - this.#offset(wanted);
    moment = wanted - this.#offset(moment);
    return moment - ago.hours * 3_600_000;
  }

  #offset(ms: number): number {
    const { year, month, day, hour, minute, second } = this.wallTime(ms);
    return Date.UTC(year, month - 1, day, hour, minute, second) + (ms % 1000) - ms;
  }
}

/** Year and number of the ISO week of a day. */
export function isoWeek({ year, month, day }: Pick<WallTime, "year" | "month" | "day">): { year: number; week: number } {
  const date = new Date(Date.UTC(year, month - 1, day));
  // A week belongs to the year of its Thursday.
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * DAY_MS);
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  return { year: thursday.getUTCFullYear(), week: 1 + Math.floor((thursday.getTime() - first) / (7 * DAY_MS)) };
}

export interface Duration {
  years: number;
  months: number;
  days: number;
  hours: number;
}

const DURATION = /^(?:(\d{1,6})y)?(?:(\d{1,6})m)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?$/;

/** `1y5m7d2h`, as restic writes it: years, months, days, hours, in this order. Null when it is none. */
export function parseDuration(text: string): Duration | null {
  const found = DURATION.exec(text);
  if (found === null || text === "") return null;
  const [years = 0, months = 0, days = 0, hours = 0] = found.slice(1).map((digits) => Number(digits ?? 0));
  return { years, months, days, hours };
}
