import { type Arc, CIRCLE } from "../backup/repository/verify/share.ts";
import type { RoundMark } from "../state/verifications-table.ts";

const DAY_MS = 24 * 60 * 60_000;
/** All data is read within this time. */
export const ROUND_MS = 30 * DAY_MS;
/** One a day, and some that were cut short. */
const MARKS_MAX = 90;

/** How far all reading has come: steps in all, whole rounds included. */
function stepsOf(round: readonly RoundMark[]): number {
  return round.at(-1)?.[1] ?? 0;
}

/**
 * The part of the circle that is due: what has passed of 30 days since the last time, at least a day's, so that days off are made up for and no part is left
 * out. Never more than all. A clock that was set back counts as a day.
 */
export function dueArc(round: readonly RoundMark[], now: number): Arc {
  const last = round.at(-1);
  const passed = last === undefined ? DAY_MS : Math.max(DAY_MS, now - last[0]);
  const steps = Math.min(CIRCLE, Math.ceil((CIRCLE * passed) / ROUND_MS));
  return { from: stepsOf(round) % CIRCLE, steps };
}

/** The round once so many steps more have been read. Marks that lie in the future, from a clock that was ahead, count as now. */
export function advance(round: readonly RoundMark[], steps: number, now: number): RoundMark[] {
  const known = round.map(([at, sum]): RoundMark => [Math.min(at, now), sum]);
  return [...known, [now, stepsOf(round) + steps] as const].slice(-MARKS_MAX);
}

/** How much of the circle was read within the last 30 days, from 0 to 1. */
export function readShare(round: readonly RoundMark[], now: number): number {
  // Where reading stood 30 days ago; the time between marks belongs to the later one.
  const before = round.findLast(([at]) => at <= now - ROUND_MS);
  return Math.min(1, Math.max(0, (stepsOf(round) - (before?.[1] ?? 0)) / CIRCLE));
}
