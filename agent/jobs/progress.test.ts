import { describe, expect, test } from "vitest";
import type { Progress } from "../../schemas/index.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { eventually } from "../testing/fixtures.ts";
import { keepAliveInterval, ProgressSender, progressInterval } from "./progress.ts";

const at = (done: number): Progress => ({ phase: "archiving", done, total: 100 });

async function sending(given: { leaseSeconds?: number; notice?: string } = {}) {
  const clock = new FakeClock();
  const sent: { at: number; progress: Progress }[] = [];
  const start = clock.now();
  const sender = new ProgressSender({
    clock,
    leaseSeconds: 90,
    send: async (progress) => {
      sent.push({ at: clock.now() - start, progress });
      return { cancel: false, leaseSeconds: given.leaseSeconds ?? 90 };
    },
    ...given,
  });
  const stop = new AbortController();
  const running = sender.run(stop.signal);
  const pass = async (seconds: number, each?: () => void) => {
    for (let second = 0; second < seconds; second += 1) {
      each?.();
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const end = () => {
    stop.abort();
    return running;
  };
  return { sent, sender, pass, end };
}

describe("progress", () => {
  test("comes ever more seldom while a job runs", () => {
    expect([0, 59_999, 60_000, 599_999, 600_000, 86_400_000].map(progressInterval)).toEqual([2000, 2000, 5000, 5000, 15_000, 15_000]);
  });

  test("renews the lease without news in good time", () => {
    expect([0, 600_000].map((elapsed) => keepAliveInterval(elapsed, 90))).toEqual([15_000, 15_000]);
    expect(keepAliveInterval(0, 30)).toBe(10_000);
    expect(keepAliveInterval(0, 1)).toBe(2000);
  });

  test("goes out at once, then the newest of each interval", async () => {
    const { sent, sender, pass, end } = await sending();
    let done = 0;
    await pass(5, () => sender.report(at(done++)));
    expect(sent.map(({ at: when, progress }) => [when, progress.done])).toEqual([
      [0, 0],
      [2000, 1],
      [4000, 3],
    ]);
    await end();
  });

  test("is said again when there is no news, so that the lease holds", async () => {
    const { sent, sender, pass, end } = await sending();
    sender.report(at(7));
    await pass(40);
    expect(sent.map(({ at: when }) => when)).toEqual([0, 15_000, 30_000]);
    expect(sent.every(({ progress }) => progress.done === 7)).toBe(true);
    await end();
  });

  test("begins with a renewal when the job says nothing at all", async () => {
    const { sent, pass, end } = await sending();
    await pass(16);
    expect(sent).toEqual([{ at: 15_000, progress: { phase: "scanning", done: 0, total: 0 } }]);
    await end();
  });

  test("carries the notice from the first message on, unless it brings its own", async () => {
    const { sent, sender, pass, end } = await sending({ notice: "started again" });
    await pass(3);
    sender.report(at(1));
    await pass(3);
    sender.report({ ...at(2), notice: "waits" });
    await pass(3);
    expect(sent.map(({ progress }) => progress.notice)).toEqual(["started again", "started again", "waits"]);
    await end();
  });

  test("ends while it waits", async () => {
    const { end } = await sending();
    let ended = false;
    void end().then(() => {
      ended = true;
    });
    await eventually(() => ended, "the sender ends");
  });
});
