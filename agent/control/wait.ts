import type { Clock } from "../clock.ts";
import { AgentError } from "../errors.ts";
import type { ServerControl } from "./control.ts";

/** How often a server that stops is looked at, in milliseconds. */
const LOOK_EVERY_MS = 500;

/** Looks until `isOver` says so; false when the time has passed before. */
export async function waitFor(
  isOver: () => Promise<boolean>,
  given: { timeoutMs: number; clock: Clock; signal: AbortSignal; everyMs?: number },
): Promise<boolean> {
  const { timeoutMs, clock, signal, everyMs = LOOK_EVERY_MS } = given;
  const until = clock.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    if (await isOver()) return true;
    const left = until - clock.now();
    if (left <= 0) return false;
    await clock.sleep(Math.min(everyMs, left), signal);
  }
}

/**
 * Makes sure that a server which was stopped is still so, right before its files are touched: a watchdog or another unit may have started it.
 * @throws AgentError `server-came-back`, `server-state-unknown`
 */
export async function assertStopped(control: ServerControl, signal: AbortSignal): Promise<void> {
  const state = await control.state(signal);
  if (state === "stopped") return;
  if (state === "running") {
    const advice =
      "Something starts it by itself: a watchdog, a timer, a panel, cron. Turn that off for the time of the work, then try again.";
    throw new AgentError("server-came-back", `the server was stopped and runs again (${control.way}). ${advice}`);
  }
  const advice = "Nothing was touched. Stop it by hand and look at the agent's log, or give control.status in config.yaml.";
  throw new AgentError("server-state-unknown", `whether the server is stopped cannot be told (${control.way}). ${advice}`);
}

export function stopTimedOut(way: string, timeoutMs: number, advice: string): AgentError {
  return new AgentError("server-stop-timeout", `the server did not stop within ${timeoutMs / 1000} s (${way}). ${advice}`);
}

export function stopFailed(way: string, why: string): AgentError {
  return new AgentError("server-stop-failed", `the server could not be stopped (${way}): ${why}`);
}

export function startFailed(way: string, why: string): AgentError {
  return new AgentError("server-start-failed", `the server could not be started (${way}): ${why}`);
}
