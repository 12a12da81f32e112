import type { Clock } from "../../clock.ts";

/** A clock that moves when somebody sleeps, and no time passes. */
export class SleepingClock implements Clock {
  at: number;
  slept: number[] = [];

  constructor(at = Date.parse("2026-11-22T14:35:01Z")) {
    this.at = at;
  }

  now(): number {
    return this.at;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.slept.push(ms);
    this.at += ms;
    // Real input and output goes on meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
}
