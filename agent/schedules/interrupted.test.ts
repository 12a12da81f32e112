import { describe, expect, test } from "vitest";
import { heldBackups, scheduleConfig, scheduling, told } from "./testing/scheduling.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const at = "2026-11-22T03:59Z";
const key = `island/main/${Date.UTC(2026, 10, 22, 4)}`;

async function halfway(given: { skipUnchanged?: boolean } = {}) {
  const held = heldBackups();
  const parts = await scheduling({ at, backup: held.backup, schedules: [scheduleConfig(given)] });
  await parts.clock.pass(5 * MINUTE);
  expect(told(parts.reports)).toEqual(["2026-11-22T04:00 started"]);
  return { ...parts, held };
}

describe("a run that broke off", () => {
  test("is taken up again under the same key and ends once", async () => {
    const { clock, reports, kill, start, begun, cleaned, held } = await halfway();
    await kill();
    clock.jump(2 * HOUR);
    await start();
    held.open();
    await clock.pass(MINUTE);
    expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:00 succeeded"]);
    expect(new Set(reports.map((report) => report.key))).toEqual(new Set([key]));
    expect(reports.map(({ run }) => run.startedAt)).toEqual([Date.UTC(2026, 10, 22, 4), Date.UTC(2026, 10, 22, 4)]);
    expect(begun).toHaveLength(2);
    expect(cleaned).toEqual(["island"]);
  });

  test("is given up after three interruptions, and the next one is made", async () => {
    const { clock, reports, kill, start, begun, state, held } = await halfway();
    for (let n = 0; n < 3; n += 1) {
      await kill();
      await start();
      await clock.pass(MINUTE);
    }
    expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:00 agent-interrupted"]);
    expect(begun).toHaveLength(3);
    expect(state.runs.unfinished()).toEqual([]);
    held.open();
    await clock.passUntil("2026-11-23T04:01Z");
    expect(told(reports).slice(2)).toEqual(["2026-11-23T04:00 started", "2026-11-23T04:00 succeeded"]);
  });

  test("goes on however often the agent is stopped as it should be", async () => {
    const { clock, reports, stop, start, state, held } = await halfway();
    for (let n = 0; n < 5; n += 1) {
      await stop();
      expect(state.runs.unfinished()).toMatchObject([{ state: "stopped", interruptions: 0 }]);
      await start();
      await clock.pass(MINUTE);
    }
    held.open();
    await clock.pass(MINUTE);
    expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:00 succeeded"]);
  });

  test("of a server that left the config ends as a failure", async () => {
    const { clock, reports, kill, start, host } = await halfway();
    await kill();
    Object.defineProperty(host, "servers", { get: () => [] });
    await start();
    await clock.pass(MINUTE);
    expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:00 unknown-server"]);
  });

  test("is counted as begun before anything is done, so that no moment of a crash makes it run under a second key", async () => {
    const { state, row } = await halfway();
    expect(state.runs.unfinished()).toMatchObject([{ server: "island", schedule: "main", state: "running" }]);
    expect(row().settled).toEqual([[Date.UTC(2026, 10, 22, 4), Date.UTC(2026, 10, 22, 4)]]);
    expect(state.outbox.has("report", key)).toBe(true);
  });
});
