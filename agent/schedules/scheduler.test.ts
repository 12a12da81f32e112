import { describe, expect, test } from "vitest";
import { nominalsBetween } from "../../schemas/nominal-times.ts";
import { AgentError } from "../errors.ts";
import { backupResult } from "../testing/fixtures.ts";
import { ends, heldBackups, scheduleConfig, scheduling, told } from "./testing/scheduling.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("a schedule", () => {
  test("runs at its time and says so twice under one key: that it began, and how it ended", async () => {
    const { clock, reports, begun, state } = await scheduling({ at: "2026-11-22T03:00Z" });
    await clock.pass(2 * HOUR);
    expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:00 succeeded"]);
    expect(new Set(reports.map(({ key }) => key))).toEqual(new Set([`island/main/${Date.UTC(2026, 10, 22, 4)}`]));
    expect(begun).toEqual([{ server: "island", at: "2026-11-22T04:00:00.000Z" }]);
    expect(reports[0]?.run).toEqual({
      ...{ server: "island", schedule: "main", nominal: Date.UTC(2026, 10, 22, 4) },
      ...{ startedAt: Date.UTC(2026, 10, 22, 4), catchUp: false },
    });
    expect(reports[0]?.traceparent).toBe(reports[1]?.traceparent);
    expect(state.runs.unfinished()).toEqual([]);
    expect(state.outbox.size).toBe(1);
  });

  test("does not run for times before it was written", async () => {
    const { clock, reports } = await scheduling({ at: "2026-11-22T04:00:01Z" });
    await clock.pass(20 * HOUR);
    expect(reports).toEqual([]);
  });

  test("a failed backup is a failed run, and the next one is made all the same", async () => {
    const backup = async ({ server }: { server: { id: string } }) => {
      if (begun.length === 1) throw new AgentError("disk-full", "the disk is full");
      if (begun.length === 2) throw new Error("the disk broke");
      return backupResult(server.id);
    };
    const schedules = [scheduleConfig({ cron: "0 4-6 * * *" })];
    const { clock, reports, lines, begun } = await scheduling({ at: "2026-11-22T03:00Z", backup, schedules });
    await clock.pass(4 * HOUR);
    expect(ends(reports)).toEqual(["2026-11-22T04:00 disk-full", "2026-11-22T05:00 internal-error", "2026-11-22T06:00 succeeded"]);
    expect(lines.filter(({ level, err }) => level === 50 && err !== undefined)).toHaveLength(1);
  });

  test("is left out when nothing has changed, if it is to be", async () => {
    const schedules = [
      scheduleConfig({ name: "lazy", cron: "0 4 * * *", skipUnchanged: true }),
      scheduleConfig({ name: "always", cron: "0 5 * * *" }),
    ];
    const { clock, reports, begun } = await scheduling({ at: "2026-11-22T03:00Z", schedules, unchanged: async () => true });
    await clock.pass(3 * HOUR);
    expect(told(reports)).toEqual([
      ...["2026-11-22T04:00 started", "2026-11-22T04:00 unchanged"],
      ...["2026-11-22T05:00 started", "2026-11-22T05:00 succeeded"],
    ]);
    expect(begun).toHaveLength(1);
  });

  test("begins later by its jitter, by the same after a restart, and never at another time of the grace", async () => {
    const schedules = [scheduleConfig({ jitterMs: 10 * MINUTE })];
    const one = await scheduling({ at: "2026-11-22T03:00Z", schedules });
    await one.clock.pass(2 * HOUR);
    const two = await scheduling({ at: "2026-11-22T03:00Z", schedules });
    await two.clock.passUntil("2026-11-22T04:00:00.500Z");
    await two.stop();
    await two.start();
    await two.clock.pass(HOUR);
    expect(one.begun).toEqual(two.begun);
    const late = Date.parse(one.begun[0]?.at ?? "") - Date.UTC(2026, 10, 22, 4);
    expect(late).toBeGreaterThan(0);
    expect(late).toBeLessThan(10 * MINUTE);
    expect(ends(two.reports)).toEqual(["2026-11-22T04:00 succeeded"]);
  });

  test("a failure of the state ends the scheduler with that failure", async () => {
    const { state, failure } = await scheduling({ at: "2026-11-22T03:00Z" });
    state.runs.begin = () => {
      throw new Error("database is locked");
    };
    expect(await failure(2 * HOUR)).toMatchObject({ message: "database is locked" });
  });
});

describe("around a change of the clock each nominal time runs once, also through restarts", () => {
  test.each([
    ["Europe/Berlin", "30 2 * * *", "2026-03-28T00:00Z", 3],
    ["Europe/Berlin", "30 2 * * *", "2026-10-24T00:00Z", 3],
    ["Europe/Berlin", "0 * * * *", "2026-10-24T20:00Z", 8],
    ["America/New_York", "30 2 * * *", "2026-03-07T12:00Z", 2],
    ["America/New_York", "30 1 * * *", "2026-10-31T12:00Z", 2],
    ["Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00Z", 2],
    ["Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00Z", 2],
    ["Asia/Kolkata", "0 4 * * *", "2026-03-28T00:00Z", 2],
    ["Pacific/Apia", "0 3 * * *", "2011-12-29T00:00Z", 3],
  ])("%s, %s, from %s", async (zone, cron, at, days) => {
    const { clock, reports, stop, start } = await scheduling({ at, schedules: [scheduleConfig({ zone, cron })] });
    const from = clock.now();
    const hours = cron.startsWith("0 *") ? days : days * 24;
    for (let hour = 0; hour < hours; hour += 1) {
      await clock.pass(HOUR - MINUTE);
      await stop();
      await clock.pass(MINUTE);
      await start();
    }
    const expected = nominalsBetween(cron, zone, from - 1, clock.now(), 1000);
    const ended = reports.filter(({ outcome }) => outcome.state === "succeeded");
    expect(ended.map(({ run }) => run.nominal)).toEqual(expected);
    expect(expected.length).toBeGreaterThan(0);
  });
});

describe("several servers", () => {
  const at = "2026-11-22T03:59Z";

  test("share one turn: the second begins when the first has ended, and both count as begun", async () => {
    const held = heldBackups();
    const servers = { island: [scheduleConfig()], cave: [scheduleConfig()] };
    const { clock, reports, begun } = await scheduling({ at, servers, backup: held.backup });
    await clock.pass(20 * MINUTE);
    expect(begun.map(({ server }) => server)).toEqual(["island"]);
    expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:00 started"]);
    held.open();
    await clock.pass(MINUTE);
    expect(begun.map(({ server }) => server)).toEqual(["island", "cave"]);
    expect(ends(reports)).toEqual(["2026-11-22T04:00 succeeded", "2026-11-22T04:00 succeeded"]);
  });

  test("wait for a backup that the guild asked for", async () => {
    const { clock, slots, begun } = await scheduling({ at });
    const leave = await slots.current.take(new AbortController().signal);
    await clock.pass(30 * MINUTE);
    expect(begun).toEqual([]);
    leave();
    await clock.pass(MINUTE);
    expect(begun).toHaveLength(1);
  });
});
