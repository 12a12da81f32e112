import { describe, expect, test } from "vitest";
import { RUN_MAX_MS } from "./scheduled-run.ts";
import { ends, heldBackups, scheduleConfig, scheduling, told } from "./testing/scheduling.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const at = "2026-11-22T03:59Z";

describe("while another backup of the same server is at work", () => {
  test("a run waits for it within the grace", async () => {
    const { clock, host, reports, begun } = await scheduling({ at });
    const lock = host.lockBackup("island");
    await clock.pass(10 * MINUTE);
    expect(reports).toEqual([]);
    lock?.release();
    await clock.pass(2 * SECOND);
    expect(ends(reports)).toEqual(["2026-11-22T04:00 succeeded"]);
    expect(begun).toEqual([{ server: "island", at: expect.stringMatching(/^2026-11-22T04:09:0/) }]);
  });

  test("and is left out as busy when the grace is over, for good", async () => {
    const { clock, host, reports, stop, start } = await scheduling({ at });
    const lock = host.lockBackup("island");
    await clock.pass(16 * MINUTE + 2 * SECOND);
    expect(told(reports)).toEqual(["2026-11-22T04:00 busy"]);
    lock?.release();
    await stop();
    await start();
    await clock.pass(HOUR);
    expect(reports).toHaveLength(1);
  });

  test("two schedules at one time: one runs, the other waits for it", async () => {
    const held = heldBackups();
    const schedules = [scheduleConfig({ name: "a" }), scheduleConfig({ name: "b" })];
    const { clock, reports, begun } = await scheduling({ at, schedules, backup: held.backup });
    await clock.pass(5 * MINUTE);
    expect(begun).toHaveLength(1);
    expect(told(reports)).toEqual(["2026-11-22T04:00 started"]);
    held.open();
    await clock.pass(5 * SECOND);
    expect(begun).toHaveLength(2);
    expect(ends(reports)).toEqual(["2026-11-22T04:00 succeeded", "2026-11-22T04:00 succeeded"]);
  });

  test("a schedule that is faster than its backups keeps one waiting, and leaves out the others", async () => {
    const held = heldBackups();
    const schedules = [scheduleConfig({ cron: "*/5 * * * *" })];
    const { clock, reports, begun } = await scheduling({ at, schedules, backup: held.backup });
    await clock.passUntil("2026-11-22T04:12Z");
    expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:05 busy"]);
    held.open();
    await clock.passUntil("2026-11-22T04:16Z");
    expect(begun.map((it) => it.at.slice(11, 16))).toEqual(["04:00", "04:12", "04:15"]);
    expect(ends(reports)).toEqual([
      "2026-11-22T04:05 busy",
      ...["2026-11-22T04:00 succeeded", "2026-11-22T04:10 succeeded", "2026-11-22T04:15 succeeded"],
    ]);
  });

  test("an agent that stops while a run waits finds it again", async () => {
    const { clock, host, reports, stop, start } = await scheduling({ at });
    const lock = host.lockBackup("island");
    await clock.pass(5 * MINUTE);
    await stop();
    lock?.release();
    await start();
    await clock.pass(SECOND);
    expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:00 succeeded"]);
  });
});

test("a run that does not end in a day is stopped, and says so", async () => {
  const held = heldBackups();
  const { clock, reports } = await scheduling({ at, backup: held.backup, schedules: [scheduleConfig({ cron: "0 4 22 11 *" })] });
  await clock.pass(RUN_MAX_MS + 2 * MINUTE);
  expect(told(reports)).toEqual(["2026-11-22T04:00 started", "2026-11-22T04:00 deadline-passed"]);
});
