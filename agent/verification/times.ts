import { jitterOf } from "../schedules/jitter.ts";
import type { TimedCheck, TimedRow } from "../state/verifications-table.ts";

/** Verifications begin between 2 and 6 at night on the host's own clock, when fewest people play. */
const FROM_HOUR = 2;
const SPREAD_MS = 4 * 60 * 60_000;
const DAYS_A_WEEK = 7;
const DAY_MS = 24 * 60 * 60_000;
/** What was settled further ahead than this was settled under a clock that was wrong. */
const AHEAD_MAX_MS = 2 * DAY_MS;

export type Period = "daily" | "weekly";

export type Due = { kind: "due"; nominal: number } | { kind: "wait"; until: number };

/**
 * What a check has to do now. Each day or week of the host's calendar has one nominal time, drawn from the server and the day so that many servers do not
 * begin at once and a restart changes nothing. Of several that were missed only the newest counts.
 */
export function decide(row: Pick<TimedRow, "server" | "check" | "since" | "settled" | "nextAt">, period: Period, now: number): Due {
  const nominal = lastNominal(row, period, now);
  const settled = row.settled > now + AHEAD_MAX_MS ? 0 : row.settled;
  const since = row.since > now + AHEAD_MAX_MS ? 0 : row.since;
  if (nominal > settled && nominal >= since) {
    const nextAt = row.nextAt > now + AHEAD_MAX_MS ? 0 : row.nextAt;
    return nextAt <= now ? { kind: "due", nominal } : { kind: "wait", until: nextAt };
  }
  return { kind: "wait", until: nextNominal(row, period, now) };
}

type Named = Pick<TimedRow, "server" | "check">;

/** The newest nominal time that is not after `now`. */
function lastNominal(row: Named, period: Period, now: number): number {
  const here = nominalOf(row, period, firstDay(period, now), 0);
  return here <= now ? here : nominalOf(row, period, firstDay(period, now), period === "daily" ? -1 : -DAYS_A_WEEK);
}

function nextNominal(row: Named, period: Period, now: number): number {
  const here = nominalOf(row, period, firstDay(period, now), 0);
  return here > now ? here : nominalOf(row, period, firstDay(period, now), period === "daily" ? 1 : DAYS_A_WEEK);
}

/** The day that a time lies in, or the Monday of its week, on the host's clock. */
function firstDay(period: Period, at: number): Date {
  const day = new Date(at);
  const back = period === "daily" ? 0 : (day.getDay() + DAYS_A_WEEK - 1) % DAYS_A_WEEK;
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() - back);
}

function nominalOf({ server, check }: Named, period: Period, first: Date, days: number): number {
  const [year, month, date] = [first.getFullYear(), first.getMonth(), first.getDate() + days];
  // The number of the day stands for it, whatever the zone: the draw does not change with summer time.
  const key = Math.round(Date.UTC(year, month, date) / DAY_MS);
  const weekday = period === "daily" ? 0 : Math.floor(jitterOf(server, `${check}/weekday`, 0, DAYS_A_WEEK));
  return new Date(year, month, date + weekday, FROM_HOUR).getTime() + jitterOf(server, check satisfies TimedCheck, key, SPREAD_MS);
}
