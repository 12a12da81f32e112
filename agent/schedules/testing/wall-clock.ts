import type { Clock } from "../../clock.ts";

/** Turns of the event loop after which nothing moves any more without time passing. */
const TURNS = 4;

/**
 * A clock whose wall can be set, and timers that do not care: as on a machine whose clock is corrected, or that is suspended. Time passes only
 * when a test says so, from one timer to the next.
 */
export class WallClock implements Clock {
  #wall: number;
  #elapsed = 0;
  readonly #sleepers = new Set<{ at: number; wake: () => void }>();

  constructor(wall: number) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall + this.#elapsed;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { at: this.#elapsed + ms, wake: resolve };
    this.#sleepers.add(sleeper);
    const leave = () => reject(signal?.reason);
    signal?.addEventListener("abort", leave, { once: true });
    try {
      await promise;
    } finally {
      this.#sleepers.delete(sleeper);
      signal?.removeEventListener("abort", leave);
    }
  }

  /** Moves the wall by so much, at once. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  /** Lets time pass, timer by timer. */
  async pass(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    for (;;) {
      await quiet();
      const next = Math.min(...Array.from(this.#sleepers, ({ at }) => at));
      if (next > end) break;
      this.#elapsed = Math.max(this.#elapsed, next);
      for (const sleeper of [...this.#sleepers]) if (sleeper.at <= this.#elapsed) sleeper.wake();
    }
    this.#elapsed = end;
    await quiet();
  }

  /** Lets time pass up to a moment on the wall. */
  async passUntil(wall: string): Promise<void> {
    await this.pass(Date.parse(wall) - this.now());
  }
}

/** Lets everything happen that needs no time. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
