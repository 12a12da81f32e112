import { describe, expect, test } from "vitest";
import { FakeClock } from "../testing/fake-clock.ts";
import { Bell } from "./bell.ts";

const never = new AbortController().signal;

async function settled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);
}

describe("a bell", () => {
  test("lets the sleeper sleep until its time", async () => {
    const clock = new FakeClock();
    const waiting = new Bell(clock).wait(1000, never);
    clock.advance(999);
    expect(await settled(waiting)).toBe(false);
    clock.advance(1);
    await waiting;
  });

  test("wakes the sleeper", async () => {
    const bell = new Bell(new FakeClock());
    const waiting = bell.wait(1000, never);
    bell.ring();
    await waiting;
  });

  test("rung while nobody sleeps is heard by the next one, once", async () => {
    const bell = new Bell(new FakeClock());
    bell.ring();
    bell.ring();
    await bell.wait(1000, never);
    expect(await settled(bell.wait(1000, never))).toBe(false);
  });

  test("ends the sleep when the signal fires, or fired before", async () => {
    const bell = new Bell(new FakeClock());
    const stop = new AbortController();
    const waiting = bell.wait(1000, stop.signal);
    stop.abort();
    await waiting;
    await bell.wait(1000, stop.signal);
  });
});
