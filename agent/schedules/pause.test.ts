import { describe, expect, test } from "vitest";
import { type AnnouncedSchedule, announcedSchedule, type SchedulePayload } from "../../schemas/index.ts";
import { changeSchedules } from "./change-schedules.ts";
import { announcedOf } from "./schedule-state.ts";
import { ends, scheduleConfig, scheduling, told } from "./testing/scheduling.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const at = "2026-11-22T03:30Z";

async function pausing(schedules = [scheduleConfig({ cron: "0 * * * *" })]) {
  const parts = await scheduling({ at, schedules });
  const change = (payload: Omit<SchedulePayload, "server">): AnnouncedSchedule[] =>
    changeSchedules(parts.state, { server: "island", ...payload }, parts.clock.now());
  return { ...parts, change };
}

describe("a paused schedule", () => {
  test("runs nothing, and nothing of the pause is made up for when it is resumed", async () => {
    const { clock, reports, change } = await pausing();
    expect(change({ action: "pause" })).toEqual([
      {
        ...{ name: "main", cron: "0 * * * *", zone: "UTC", graceStartSeconds: 900, graceFinishSeconds: 21_600 },
        ...{ paused: true, since: Date.parse(at) },
      },
    ]);
    await clock.pass(5 * HOUR);
    expect(reports).toEqual([]);
    const [resumed] = change({ action: "resume" });
    expect(resumed).toMatchObject({ paused: false, since: clock.now() });
    await clock.pass(HOUR);
    expect(told(reports)).toEqual(["2026-11-22T09:00 started", "2026-11-22T09:00 succeeded"]);
  });

  test("stays paused through a restart", async () => {
    const { clock, reports, change, stop, start } = await pausing();
    change({ action: "pause" });
    await stop();
    clock.jump(DAY);
    await start();
    await clock.pass(2 * HOUR);
    expect(reports).toEqual([]);
  });

  test("goes on by itself when its time is over, and what follows is made up for after downtime", async () => {
    const { clock, reports, change, row, stop, start } = await pausing();
    const until = Date.parse("2026-11-22T06:30Z");
    change({ action: "pause", until });
    await clock.passUntil("2026-11-22T07:30Z");
    expect(ends(reports)).toEqual(["2026-11-22T07:00 succeeded"]);
    expect(announcedSchedule.parse(announcedOf(row()))).toMatchObject({ paused: false, since: until });
    change({ action: "pause", until: Date.parse("2026-11-22T09:30Z") });
    await stop();
    clock.jump(6 * HOUR);
    await start();
    await clock.pass(MINUTE);
    expect(ends(reports).slice(1)).toEqual(["2026-11-22T13:00 succeeded (late)"]);
  });

  test("the same twice changes nothing the second time", async () => {
    const { clock, change } = await pausing();
    const until = clock.now() + 10 * HOUR;
    const once = change({ action: "pause", until });
    await clock.pass(MINUTE);
    expect(change({ action: "pause", until })).toEqual(once);
    const resumed = change({ action: "resume" });
    await clock.pass(MINUTE);
    expect(change({ action: "resume" })).toEqual(resumed);
  });

  test("a pause until a time that has passed pauses nothing", async () => {
    const { clock, reports, change } = await pausing();
    expect(change({ action: "pause", until: clock.now() })).toMatchObject([{ paused: false, since: Date.parse(at) }]);
    await clock.pass(HOUR);
    expect(ends(reports)).toHaveLength(1);
  });

  test("a run that waits does not begin any more, and one at work goes on", async () => {
    const { clock, host, reports, change } = await pausing();
    const lock = host.lockBackup("island");
    await clock.pass(31 * MINUTE);
    change({ action: "pause" });
    lock?.release();
    await clock.pass(HOUR);
    expect(reports).toEqual([]);
  });

  test("is one schedule of a server, or all of them", async () => {
    const { change } = await pausing([scheduleConfig({ name: "a" }), scheduleConfig({ name: "b" })]);
    const states = (schedules: AnnouncedSchedule[]) => schedules.map(({ name, paused }) => `${name} ${paused}`);
    expect(states(change({ schedule: "b", action: "pause" }))).toEqual(["a false", "b true"]);
    expect(states(change({ action: "pause" }))).toEqual(["a true", "b true"]);
    expect(states(change({ action: "resume" }))).toEqual(["a false", "b false"]);
    expect(() => change({ schedule: "c", action: "pause" })).toThrow('island has no schedule "c"; it has a, b');
  });

  test("a server without schedules says where to add one", async () => {
    const { change } = await pausing([]);
    expect(() => change({ action: "pause" })).toThrow(expect.objectContaining({ code: "unknown-schedule" }));
  });
});

describe("when the config changes", () => {
  test("a schedule at other times begins anew, and one with another grace goes on", async () => {
    const { clock, reports, replace, row } = await pausing();
    await clock.pass(HOUR);
    const { since } = row();
    replace([scheduleConfig({ cron: "0 * * * *", graceStartMs: 30 * MINUTE })]);
    expect(row()).toMatchObject({ since, graceStartSeconds: 1800 });
    replace([scheduleConfig({ cron: "15 * * * *" })]);
    expect(row()).toMatchObject({ since: clock.now(), cron: "15 * * * *" });
    await clock.passUntil("2026-11-22T05:20Z");
    expect(ends(reports)).toEqual(["2026-11-22T04:00 succeeded", "2026-11-22T05:15 succeeded"]);
  });

  test("one that comes back after it was removed begins anew", async () => {
    const { clock, reports, replace, state } = await pausing();
    replace([]);
    expect(state.schedules.all()).toEqual([]);
    await clock.pass(3 * HOUR);
    replace([scheduleConfig({ cron: "0 * * * *" })]);
    await clock.pass(HOUR);
    expect(ends(reports)).toEqual(["2026-11-22T07:00 succeeded"]);
  });

  test("a change to another zone drops a run that waits", async () => {
    const { clock, host, reports, replace } = await pausing([scheduleConfig()]);
    const lock = host.lockBackup("island");
    await clock.passUntil("2026-11-22T04:05Z");
    replace([scheduleConfig({ zone: "Asia/Kolkata" })]);
    lock?.release();
    await clock.pass(MINUTE);
    expect(reports).toEqual([]);
    await clock.passUntil("2026-11-22T22:31Z");
    expect(ends(reports)).toEqual(["2026-11-22T22:30 succeeded"]);
  });
});

test("what the guild is told stays the same while a schedule does", async () => {
  const { clock, row } = await pausing();
  const before = JSON.stringify(announcedOf(row()));
  await clock.pass(5 * HOUR);
  expect(JSON.stringify(announcedOf(row()))).toBe(before);
});
