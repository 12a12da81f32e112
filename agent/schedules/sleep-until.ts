import type { Clock } from "../clock.ts";

/**
 * The longest sleep at a stretch, in milliseconds. Timers stand still while a machine is suspended, and know nothing of a clock that was set:
 * whoever waits for a time of day looks at the clock at least this often.
 */
export const STRETCH_MS = 30_000;

/** Resolves with true when the wall clock has reached `at`, with false when the signal fires first. */
export async function sleepUntil(clock: Clock, at: number, signal: AbortSignal): Promise<boolean> {
  for (let left = at - clock.now(); left > 0; left = at - clock.now()) {
    if (!(await slept(clock, Math.min(left, STRETCH_MS), signal))) return false;
  }
  return !signal.aborted;
}

/** Sleeps once. False when the signal fired first. */
export async function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (!signal.aborted) throw error;
    return false;
  }
}
