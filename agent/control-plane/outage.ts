import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";

/** While an outage goes on, it is told again after so many milliseconds; the last one repeats. */
const TELL_AFTER_MS = [0, 60_000, 5 * 60_000, 15 * 60_000, 60 * 60_000] as const;

/** Tells of an outage in the log when it begins, ever more rarely while it lasts, and when it is over. */
export class OutageLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  #since: number | undefined;
  #told = 0;
  #nextAt = 0;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  failed(error: { code: string; message: string }): void {
    const now = this.#clock.now();
    if (this.#since === undefined) {
      this.#since = now;
      this.#told = 0;
      this.#nextAt = now;
    }
    const facts = { code: error.code, downSeconds: Math.round((now - this.#since) / 1000) };
    if (now < this.#nextAt) {
      this.#log.debug(facts, error.message);
      return;
    }
    this.#told += 1;
    this.#nextAt = now + (TELL_AFTER_MS[Math.min(this.#told, TELL_AFTER_MS.length - 1)] ?? 0);
    this.#log.warn(facts, `the control plane cannot be used: ${error.message}`);
  }

  /** Answers whether there was an outage. */
  recovered(): boolean {
    if (this.#since === undefined) return false;
    const downSeconds = Math.round((this.#clock.now() - this.#since) / 1000);
    this.#since = undefined;
    this.#log.info({ downSeconds }, "the control plane answers again");
    return true;
  }
}
