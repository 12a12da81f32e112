import type { Clock } from "../clock.ts";
import type { ScheduleConfig } from "../config/host-config.ts";
import type { Logger } from "../logger.ts";
import type { AgentState } from "../state/state.ts";
import { isSettled } from "./decide.ts";
import { jitterOf } from "./jitter.ts";
import { asOf } from "./schedule-state.ts";
import { sleepUntil } from "./sleep-until.ts";

/** How often it is looked whether the other backup of the same server has ended, in milliseconds. */
const BUSY_RETRY_MS = 1000;

/** A nominal time that has come and whose run has not begun. */
export interface Waiting {
  readonly server: string;
  readonly schedule: ScheduleConfig;
  readonly nominal: number;
  readonly catchUp: boolean;
  /** When it was found to be due. */
  readonly since: number;
  /** A newer one of the same schedule is due too. */
  superseded: boolean;
}

export interface TurnDeps {
  state: Pick<AgentState, "schedules">;
  clock: Clock;
  log: Logger;
  /** Takes the server, unless somebody backs it up right now. */
  claim: () => boolean;
}

/**
 * Waits for the moment at which a run may begin. `go`: now. `busy`: another backup of the server was at work until the grace was over, or
 * until a newer nominal time took this one's place. `gone`: it does not count any more, or the moment was slept through: whoever decides
 * decides anew.
 */
export async function waitForTurn(waiting: Waiting, deps: TurnDeps, signal: AbortSignal): Promise<"go" | "busy" | "gone"> {
  const { server, schedule, nominal, catchUp, since } = waiting;
  const { clock, log, claim } = deps;
  const startAt = catchUp ? since : nominal + jitterOf(server, schedule.name, nominal, schedule.jitterMs);
  const until = (catchUp ? since : nominal) + schedule.graceStartMs;
  let sawBusy = false;
  for (let at = startAt; await sleepUntil(clock, at, signal); at = clock.now() + BUSY_RETRY_MS) {
    if (!counts(waiting, deps)) return "gone";
    if (sawBusy && waiting.superseded) return "busy";
    if (clock.now() > until) return sawBusy ? "busy" : "gone";
    if (claim()) return "go";
    if (!sawBusy) log.info({ server, schedule: schedule.name }, "a scheduled backup waits: another one of this server is at work");
    sawBusy = true;
  }
  return "gone";
}

/** Whether the schedule still wants a run at this time: it may have been paused, changed or removed meanwhile. */
function counts({ server, schedule, nominal }: Waiting, { state, clock }: TurnDeps): boolean {
  const stored = state.schedules.get(server, schedule.name);
  if (stored === undefined) return false;
  const row = asOf(stored, clock.now());
  return !row.paused && nominal >= row.since && !isSettled(row, nominal);
}
