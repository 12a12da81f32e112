import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { durationSeconds } from "../../schemas/config-schedule.ts";
import { testServer } from "../monitor/testing/servers.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { checkHost } from "./check.ts";
import { formatCheck } from "./check-text.ts";
import { describeConfig } from "./redact.ts";
import { onClock } from "./schedules.ts";
import { load, problemsOf, SHORTEST } from "./testing/load.ts";

const withSchedule = (schedule: string) => `${SHORTEST}      schedule: ${schedule}\n`;
const list = (...entries: string[]) => withSchedule(`\n${entries.map((entry) => `        - ${entry}`).join("\n")}`);

async function schedulesOf(text: string) {
  return (await load(text)).servers[0]?.backup.schedules;
}

describe("backup.schedule", () => {
  test("is nothing when it is not there", async () => {
    expect(await schedulesOf(SHORTEST)).toEqual([]);
  });

  test("one schedule takes the defaults", async () => {
    expect(await schedulesOf(withSchedule(`{cron: "0 4 * * *", timezone: Europe/Berlin}`))).toEqual([
      {
        name: "main",
        cron: "0 4 * * *",
        zone: "Europe/Berlin",
        jitterMs: 0,
        skipUnchanged: true,
        catchUp: true,
        graceStartMs: 15 * 60_000,
        graceFinishMs: 6 * 60 * 60_000,
      },
    ]);
  });

  test("everything can be said, in a list with names", async () => {
    const text = list(
      `{name: night, cron: "0 4 * * *", timezone: Europe/Berlin, jitter: 90s, skip_unchanged: false, catch_up: false, grace: {start: 2h, finish: 2d}}`,
      `{name: evening, cron: "@hourly", timezone: UTC}`,
    );
    expect(await schedulesOf(text)).toMatchObject([
      { name: "night", jitterMs: 90_000, skipUnchanged: false, catchUp: false, graceStartMs: 7_200_000, graceFinishMs: 172_800_000 },
      { name: "evening", cron: "@hourly", zone: "UTC" },
    ]);
  });

  test("changes the hash of the config, and stands in the described config in the words of the file", async () => {
    const config = await load(withSchedule(`{cron: "0 4 * * *", timezone: Asia/Kolkata, jitter: 2m}`));
    expect(config.hash).not.toBe((await load(SHORTEST)).hash);
    expect(parse(describeConfig(config))).toMatchObject({
      servers: [
        { backup: { schedule: [{ name: "main", cron: "0 4 * * *", timezone: "Asia/Kolkata", jitter: "120s", grace: { start: "900s" } }] } },
      ],
    });
  });
});

describe("what is wrong with a schedule is told with line and column", () => {
  test.each([
    ["six fields", `{cron: "0 0 4 * * *", timezone: UTC}`, "7:24 servers[0].backup.schedule.cron: has six fields"],
    ["a time that never comes", `{cron: "0 0 30 2 *", timezone: UTC}`, "7:24 servers[0].backup.schedule.cron: never comes"],
    [
      "a zone that is none",
      `{cron: "0 4 * * *", timezone: Berlin}`,
      '7:47 servers[0].backup.schedule.timezone: "Berlin" is not a time zone',
    ],
    ["no zone", `{cron: "0 4 * * *"}`, "7:17 servers[0].backup.schedule.timezone: is missing"],
    ["a mistyped key", `{cron: "0 4 * * *", timezone: UTC, jiter: 2m}`, 'schedule.jiter: no such key. Did you mean "jitter"?'],
    ["a number without a unit", `{cron: "0 4 * * *", timezone: UTC, jitter: "5"}`, "jitter: use a whole number and a unit"],
    ["a duration out of bounds", `{cron: "0 4 * * *", timezone: UTC, grace: {start: 5s}}`, "grace.start: must be from 1m to 2d"],
    ["a jitter longer than the grace", `{cron: "0 4 * * *", timezone: UTC, jitter: 15m}`, "jitter: is as long as grace.start"],
    ["a finish before the start", `{cron: "0 4 * * *", timezone: UTC, grace: {start: 6h}}`, "grace: grace.finish must be longer"],
    ["a bad name", `{name: Night, cron: "0 4 * * *", timezone: UTC}`, "schedule.name: use 1 to 32 of a-z"],
  ])("%s", async (_what, schedule, expected) => {
    const problems = await problemsOf(withSchedule(schedule));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(expected);
  });

  test("names in a list are needed and unique, and an expression is checked in each entry", async () => {
    const entry = (more: string) => `{${more}cron: "0 4 * * *", timezone: UTC}`;
    expect(await problemsOf(list(entry(""), entry("name: a, "), entry("name: a, "), `{name: b, cron: "x", timezone: UTC}`))).toEqual([
      "8:11 servers[0].backup.schedule[0]: needs a name: each schedule of a list has its own",
      `10:18 servers[0].backup.schedule[2].name: "a" is the name of schedule[1] already. Give each its own`,
      expect.stringMatching(/^11:27 servers\[0\]\.backup\.schedule\[3\]\.cron: needs five fields/),
    ]);
  });

  test("more than ten are too many", async () => {
    const entries = Array.from({ length: 11 }, (_, n) => `{name: s${n}, cron: "0 4 * * *", timezone: UTC}`);
    expect(await problemsOf(list(...entries))).toEqual(["8:9 servers[0].backup.schedule: needs at most 10 entries"]);
  });
});

describe("reconsync check", () => {
  test("shows the next three times of each schedule on its own clock, with the distance from UTC", async () => {
    const [schedule = expect.fail()] = (await schedulesOf(withSchedule(`{cron: "30 2 * * *", timezone: Europe/Berlin}`))) ?? [];
    const server = testServer({});
    const backup = { ...server.backup, schedules: [schedule] };
    const config = {
      ...(await load(SHORTEST)),
      servers: [{ ...server, backup }],
    };
    const report = await checkHost(config, { clock: new FakeClock(Date.UTC(2026, 9, 24, 0)) });
    const next = ["2026-10-24 02:30 +02:00", "2026-10-25 02:30 +02:00", "2026-10-26 02:30 +01:00"];
    expect(report.servers[0]?.schedules).toEqual([{ name: "main", cron: "30 2 * * *", zone: "Europe/Berlin", next }]);
    expect(formatCheck(report)).toContain(`  schedule     main: 30 2 * * * (Europe/Berlin), next ${next.join(", ")}\n`);
  });

  test("writes zones west of Greenwich and half hours as they are", () => {
    expect(onClock("America/St_Johns", Date.UTC(2026, 0, 1))).toBe("2025-12-31 20:30 -03:30");
    expect(onClock("Asia/Kathmandu", Date.UTC(2026, 0, 1))).toBe("2026-01-01 05:45 +05:45");
  });
});

test("durations are whole numbers with a unit", () => {
  expect(["0s", "90s", "15m", "6h", "2d"].map(durationSeconds)).toEqual([0, 90, 900, 21_600, 172_800]);
  for (const text of ["", "5", "1.5h", "-1m", "1w", "h", "01m", "6 h"]) expect(durationSeconds(text)).toBeUndefined();
});
