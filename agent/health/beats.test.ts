import { expect, test } from "vitest";
import { FakeClock } from "../testing/fake-clock.ts";
import { Beats } from "./beats.ts";

test("a loop is late when it has not beaten in time and the slack is over, and no more when it beats", () => {
  let now = 0;
  const beats = new Beats(() => now);
  beats.beat("outbox", 30_000);
  beats.beat("polls", 300_000);
  now = 30_000 + 120_000;
  expect(beats.states).toEqual([
    { loop: "outbox", lateSeconds: 0 },
    { loop: "polls", lateSeconds: 0 },
  ]);
  now += 5000;
  expect(beats.states).toEqual([
    { loop: "outbox", lateSeconds: 5 },
    { loop: "polls", lateSeconds: 0 },
  ]);
  beats.beat("outbox", 30_000);
  expect(beats.states.every(({ lateSeconds }) => lateSeconds === 0)).toBe(true);
});

test("a loop that has ended is not missed", () => {
  const beats = new Beats(() => 0);
  beats.beat("polls", 1);
  beats.done("polls");
  expect(beats.states).toEqual([]);
});

test("on its clock each sleep is a beat, for as long as it sleeps", async () => {
  let now = 0;
  const beats = new Beats(() => now);
  const real = new FakeClock();
  const clock = beats.clock("observations", real);
  const slept = clock.sleep(60_000);
  now = 179_000;
  expect(beats.states).toEqual([{ loop: "observations", lateSeconds: 0 }]);
  now = 181_000;
  expect(beats.states).toEqual([{ loop: "observations", lateSeconds: 1 }]);
  real.advance(60_000);
  await slept;
  expect(clock.now()).toBe(real.now());
  const stop = new AbortController();
  const again = clock.sleep(1, stop.signal);
  expect(beats.states[0]?.lateSeconds).toBe(0);
  stop.abort();
  await expect(again).rejects.toThrow();
});
