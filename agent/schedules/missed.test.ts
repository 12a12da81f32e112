import { describe, expect, test } from "vitest";
import { ends, scheduleConfig, scheduling, told } from "./testing/scheduling.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const hourly = (changes = {}) => [scheduleConfig({ cron: "0 * * * *", ...changes })];

describe("after a time in which the agent was not there", () => {
  test("the newest missed run is made up for, once, and the others are named in the log", async () => {
    const { clock, reports, lines, stop, start } = await scheduling({ at: "2026-11-22T03:30Z" });
    await stop();
    clock.jump(5 * DAY);
    await start();
    await clock.pass(20 * MINUTE);
    expect(told(reports)).toEqual(["2026-11-26T04:00 started (late)", "2026-11-26T04:00 succeeded (late)"]);
    expect(lines).toContainEqual(expect.objectContaining({ missed: 4, server: "island", schedule: "main" }));
    await stop();
    await start();
    await clock.pass(5 * MINUTE);
    expect(reports).toHaveLength(2);
  });

  test("nothing is made up for when catch_up is false, also not after another restart", async () => {
    const { clock, reports, lines, stop, start } = await scheduling({
      at: "2026-11-22T03:30Z",
      schedules: [scheduleConfig({ catchUp: false })],
    });
    await stop();
    clock.jump(2 * HOUR);
    await start();
    await clock.pass(HOUR);
    await stop();
    await start();
    await clock.pass(12 * HOUR);
    expect(reports).toEqual([]);
    expect(lines.filter(({ msg }) => msg.includes("catch_up is false"))).toHaveLength(1);
    await clock.passUntil("2026-11-23T04:30Z");
    expect(ends(reports)).toEqual(["2026-11-23T04:00 succeeded"]);
  });

  test("a short one within the grace is no miss, whatever catch_up says", async () => {
    const { clock, reports, stop, start } = await scheduling({ at: "2026-11-22T03:59Z", schedules: [scheduleConfig({ catchUp: false })] });
    await stop();
    clock.jump(10 * MINUTE);
    await start();
    await clock.pass(MINUTE);
    expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:00 succeeded"]);
  });

  test("a machine that was suspended looks at its clock within 30 seconds", async () => {
    const { clock, reports, begun } = await scheduling({ at: "2026-11-22T03:30Z" });
    await clock.pass(MINUTE);
    clock.jump(8 * HOUR);
    const awake = clock.now();
    await clock.pass(31 * SECOND);
    expect(ends(reports)).toEqual(["2026-11-22T04:00 succeeded (late)"]);
    expect(Date.parse(begun[0]?.at ?? "") - awake).toBeLessThanOrEqual(30 * SECOND);
  });

  test("one that was suspended during the jitter makes up for that run once", async () => {
    const { clock, reports } = await scheduling({ at: "2026-11-22T03:30Z", schedules: [scheduleConfig({ jitterMs: 14 * MINUTE })] });
    await clock.passUntil("2026-11-22T04:00:01Z");
    expect(reports).toEqual([]);
    clock.jump(8 * HOUR);
    await clock.pass(HOUR);
    expect(told(reports)).toEqual(["2026-11-22T04:00 started (late)", "2026-11-22T04:00 succeeded (late)"]);
  });
});

describe("when the clock is set", () => {
  test("back: what ran does not run again, and what follows does", async () => {
    const { clock, reports } = await scheduling({ at: "2026-11-22T03:30Z", schedules: hourly() });
    await clock.passUntil("2026-11-22T07:30Z");
    clock.jump(-3 * HOUR);
    await clock.pass(5 * HOUR);
    expect(ends(reports)).toEqual([4, 5, 6, 7, 8, 9].map((hour) => `2026-11-22T0${hour}:00 succeeded`));
  });

  test("back by seconds over a nominal time: it runs once", async () => {
    const { clock, reports } = await scheduling({ at: "2026-11-22T03:59:58Z" });
    await clock.pass(3 * SECOND);
    expect(ends(reports)).toHaveLength(1);
    for (let n = 0; n < 5; n += 1) {
      clock.jump(-4 * SECOND);
      await clock.pass(4 * SECOND);
    }
    expect(ends(reports)).toEqual(["2026-11-22T04:00 succeeded"]);
  });

  test("back by weeks, and through a restart: nothing of it runs again", async () => {
    const { clock, reports, stop, start } = await scheduling({ at: "2026-11-01T12:00Z" });
    await clock.passUntil("2026-11-06T12:00Z");
    await stop();
    clock.jump(-30 * DAY);
    await start();
    const before = reports.length;
    await clock.pass(DAY);
    const keys = ends(reports);
    expect(new Set(keys).size).toBe(keys.length);
    // It begins anew on the clock as it is now: 2026-10-08 has not been yet.
    expect(keys.slice(before / 2)).toEqual(["2026-10-08T04:00 succeeded"]);
    clock.jump(25 * DAY);
    await clock.pass(4 * DAY);
    expect(new Set(ends(reports)).size).toBe(ends(reports).length);
  });

  test("far ahead and back again: one run was made up for, and the schedule goes on today", async () => {
    const { clock, reports } = await scheduling({ at: "2026-11-22T03:30Z", schedules: hourly() });
    clock.jump(14 * 365 * DAY);
    await clock.pass(MINUTE);
    expect(ends(reports)).toEqual(["2040-11-18T03:00 succeeded (late)"]);
    clock.jump(-14 * 365 * DAY);
    await clock.passUntil("2026-11-22T05:30Z");
    expect(ends(reports).slice(1)).toEqual(["2026-11-22T04:00 succeeded", "2026-11-22T05:00 succeeded"]);
  });

  test("a schedule that was written under a clock that was years ahead does not stand still until then", async () => {
    const { clock, reports, row } = await scheduling({ at: "2040-01-01T00:30Z", schedules: hourly() });
    clock.jump(Date.parse("2026-11-22T03:30Z") - clock.now());
    await clock.pass(HOUR);
    expect(ends(reports)).toEqual(["2026-11-22T04:00 succeeded"]);
    expect(row().since).toBeLessThan(Date.parse("2026-11-22T03:31Z"));
  });
});
