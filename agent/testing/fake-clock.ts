import type { Clock } from "../clock.ts";

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now: number;
  readonly #sleeping = new Set<{ until: number; wake: () => void }>();
  /** Every sleep that was asked for, in milliseconds. */
  readonly slept: number[] = [];

  constructor(now = Date.UTC(2026, 10, 22, 12)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal?.aborted === true) {
      reject(signal.reason);
      return promise;
    }
    const entry = { until: this.#now + ms, wake: resolve };
    this.#sleeping.add(entry);
    signal?.addEventListener(
      "abort",
      () => {
        this.#sleeping.delete(entry);
        reject(signal.reason);
      },
      { once: true },
    );
    return promise;
  }

  /** Moves on, and wakes whoever's time has come. */
  advance(ms: number): void {
    this.#now += ms;
    for (const entry of this.#sleeping) {
      if (entry.until > this.#now) continue;
      this.#sleeping.delete(entry);
      entry.wake();
    }
  }
}

/** A clock that runs faster than the real one: for loops whose waits are not what a test is about. */
export class HastyClock implements Clock {
  readonly #factor: number;
  readonly #startedAt = Date.now();
  /** Every sleep that was asked for, in milliseconds. */
  readonly slept: number[] = [];

  constructor(factor: number) {
    this.#factor = factor;
  }

  now(): number {
    return this.#startedAt + (Date.now() - this.#startedAt) * this.#factor;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms);
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms / this.#factor);
    const leave = () => reject(signal?.reason);
    signal?.addEventListener("abort", leave, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", leave);
    }
  }
}
