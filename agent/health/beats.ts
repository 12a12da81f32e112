import type { Clock } from "../clock.ts";

/** What a loop does besides waiting may take so long until it counts as stuck, in milliseconds: the longest work without a wait is a minute. */
const SLACK_MS = 2 * 60_000;

/**
 * Loops that must turn for the agent to be alive. The one that follows the config is not among them: a folder that hangs is no reason to
 * restart an agent that works on with the config it has.
 */
export type LoopName = "polls" | "outbox" | "observations" | "schedules";

export interface LoopState {
  loop: LoopName;
  /** How long it is overdue, in seconds; 0 when it is in time. */
  lateSeconds: number;
}

/** Knows when each loop of the agent last turned, and when it must turn again. */
export class Beats {
  readonly #monotonic: () => number;
  readonly #due = new Map<LoopName, number>();

  /** @param monotonic milliseconds that never jump: a clock that is set, or a machine that slept, makes no loop late */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** The loop turns, and will again within `ms` and some slack. */
  beat(loop: LoopName, ms: number): void {
    this.#due.set(loop, this.#monotonic() + ms + SLACK_MS);
  }

  /** The loop has ended as it should. */
  done(loop: LoopName): void {
    this.#due.delete(loop);
  }

  /** The same clock, on which each sleep is a beat of the loop that sleeps. */
  clock(loop: LoopName, clock: Clock): Clock {
    return {
      now: () => clock.now(),
      sleep: (ms, signal) => {
        this.beat(loop, ms);
        return clock.sleep(ms, signal);
      },
    };
  }

  get states(): LoopState[] {
    const now = this.#monotonic();
    return Array.from(this.#due, ([loop, due]) => ({ loop, lateSeconds: Math.max(0, Math.round((now - due) / 1000)) }));
  }
}
