import type { Clock } from "../../../../clock.ts";

/** A clock that stands still but for sleeps, which take no time and move it on. */
export class LeapClock implements Clock {
  #now = Date.UTC(2026, 10, 22, 12);
  /** Every sleep that was asked for, in milliseconds. */
  readonly slept: number[] = [];

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.slept.push(ms);
    this.#now += ms;
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}
