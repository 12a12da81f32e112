import { lastNominal, nextNominal, nominalsBetween } from "../../schemas/nominal-times.ts";
import type { ScheduleRow, SettledSpan } from "../state/schedules-table.ts";

/**
 * Gaps between spans that are remembered for each schedule: one comes of each time in which the agent was not there. They only matter when
 * the clock is put back behind them.
 */
export const SPANS_MAX = 50;
/** Missed nominal times are counted up to here; beyond, there were "many". */
export const MISSED_COUNTED_MAX = 1000;

/** The parts of a schedule that say when it is due. */
export type Timed = Pick<ScheduleRow, "cron" | "zone" | "since" | "settled">;

export type Decision =
  /** Nothing is due before; null: never again. */
  | { kind: "wait"; until: number | null }
  /** This nominal time is due. `late`: it was missed. `passedOver`: so many older ones were missed too, and are left out. */
  | { kind: "due"; nominal: number; late: boolean; passedOver: number };

/**
 * What a schedule has to do now. Of all nominal times that have passed and are not settled only the newest counts.
 * @param held the newest nominal time that waits for its turn already, if any
 */
export function decide(schedule: Timed & Pick<ScheduleRow, "graceStartSeconds">, now: number, held?: number): Decision {
  const { cron, zone } = schedule;
  const base = Math.max(settledUpTo(schedule, now), held ?? Number.NEGATIVE_INFINITY);
  const next = nextNominal(cron, zone, base);
  if (next === null || next > now) return { kind: "wait", until: next };
  const nominal = lastNominal(cron, zone, base, now) ?? next;
  const passedOver = nominal === next ? 0 : nominalsBetween(cron, zone, base, nominal - 1, MISSED_COUNTED_MAX).length;
  return { kind: "due", nominal, late: now - nominal > schedule.graceStartSeconds * 1000, passedOver };
}

/**
 * Up to which time nothing is to be done any more, as seen from `now`. When the clock was put back this may lie in the future: those nominal
 * times were decided on already. What a clock that was too far ahead has passed over is still open.
 */
function settledUpTo({ since, settled }: Timed, now: number): number {
  let upTo = since - 1;
  for (const [from, to] of settled) if (from <= now) upTo = Math.max(upTo, to);
  return upTo;
}

/** Whether a nominal time was decided on. */
export function isSettled({ settled }: Pick<Timed, "settled">, nominal: number): boolean {
  return settled.some(([from, to]) => from <= nominal && nominal <= to);
}

/** The spans once a nominal time is decided on: the one before it grows when none lies between. */
export function settle(schedule: Timed, nominal: number): SettledSpan[] {
  const { cron, zone, settled } = schedule;
  if (isSettled(schedule, nominal)) return [...settled];
  const before = settled.filter(([, to]) => to < nominal);
  const after = settled.filter(([from]) => from > nominal);
  const last = before.at(-1);
  const grows = last !== undefined && nextNominal(cron, zone, last[1]) === nominal;
  const grown: SettledSpan[] = grows ? [...before.slice(0, -1), [last[0], nominal]] : [...before, [nominal, nominal]];
  return [...grown, ...after].slice(-SPANS_MAX);
}
