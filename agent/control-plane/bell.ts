import type { Clock } from "../clock.ts";

/** A sleep that can be cut short. A ring while nobody waits is remembered for the next wait. */
export class Bell {
  readonly #clock: Clock;
  #rung = false;
  #waiting: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#waiting?.abort();
  }

  /** Resolves after `ms`, when the bell rings, or when the signal fires: whichever is first. For one waiter at a time. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted && ms > 0) await this.#sleep(ms, signal);
    this.#rung = false;
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    const stop = () => waiting.abort();
    this.#waiting = waiting;
    signal.addEventListener("abort", stop, { once: true });
    try {
      await this.#clock.sleep(ms, waiting.signal);
    } catch (error) {
      if (!waiting.signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#waiting = undefined;
    }
  }
}
