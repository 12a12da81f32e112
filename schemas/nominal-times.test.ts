import { describe, expect, test } from "vitest";
import { cronProblem, lastNominal, nextNominal, nominalsBetween, zoneOffset, zoneProblem } from "./nominal-times.ts";

const DAY = 24 * 60 * 60_000;

/** An instant as the clock of a zone shows it. */
function onClock(zone: string, at: number): string {
  return new Date(at + zoneOffset(zone, at)).toISOString().slice(0, 16).replace("T", " ");
}

/** What is due between two UTC times, as the zone's clock shows it, with the UTC time beside it where the clock alone is ambiguous. */
function due(cron: string, zone: string, from: string, to: string): string[] {
  return nominalsBetween(cron, zone, Date.parse(`${from}Z`) - 1, Date.parse(`${to}Z`) - 1, 1000).map((at) => onClock(zone, at));
}

/** The UTC instants of the same. */
function utc(cron: string, zone: string, from: string, to: string): string[] {
  const found = nominalsBetween(cron, zone, Date.parse(`${from}Z`) - 1, Date.parse(`${to}Z`) - 1, 1000);
  return found.map((at) => new Date(at).toISOString().slice(0, 16));
}

describe("when the clock is put forward", () => {
  test("Berlin: a time that is skipped is due once, at the first instant after the gap", () => {
    expect(due("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", "2026-03-31T00:00")).toEqual([
      "2026-03-28 02:30",
      "2026-03-29 03:00",
      "2026-03-30 02:30",
    ]);
  });

  test("Berlin: several skipped times come to one, also beside a time that is due there anyway", () => {
    expect(due("*/10 2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T12:00")).toEqual(["2026-03-29 03:00"]);
    expect(due("0 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T12:00")).toEqual(["2026-03-29 03:00"]);
  });

  test("Berlin: an hourly schedule has 23 runs that day, one every real hour", () => {
    const found = utc("30 * * * *", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00");
    expect(found).toHaveLength(23);
    expect(found.slice(1, 4)).toEqual(["2026-03-29T00:30", "2026-03-29T01:30", "2026-03-29T02:30"]);
  });

  test("Berlin: every two hours, the one that is skipped is made up for", () => {
    expect(due("0 */2 * * *", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T04:00")).toEqual([
      "2026-03-29 00:00",
      "2026-03-29 03:00",
      "2026-03-29 04:00",
    ]);
  });

  test("New York: 2:00 is due at 3:00", () => {
    expect(utc("0 2 * * *", "America/New_York", "2026-03-08T05:00", "2026-03-09T05:00")).toEqual(["2026-03-08T07:00"]);
  });

  test("Lord Howe: the gap is 30 minutes long", () => {
    expect(due("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", "2026-10-05T00:00")).toEqual([
      "2026-10-04 02:30",
      "2026-10-05 02:15",
    ]);
    expect(due("45 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", "2026-10-04T00:00")).toEqual(["2026-10-04 02:45"]);
  });

  test("Apia: a day that never was has no nominal times", () => {
    const days = due("0 3 * * *", "Pacific/Apia", "2011-12-28T00:00", "2012-01-02T00:00");
    expect(days).toEqual(["2011-12-28 03:00", "2011-12-29 03:00", "2011-12-31 03:00", "2012-01-01 03:00", "2012-01-02 03:00"]);
    expect(due("0 3 30 * *", "Pacific/Apia", "2011-11-15T00:00", "2012-02-01T00:00")).toEqual(["2011-11-30 03:00", "2012-01-30 03:00"]);
    expect(due("0 0,12 * * *", "Pacific/Apia", "2011-12-29T10:00", "2011-12-31T10:00")).toEqual([
      "2011-12-29 00:00",
      "2011-12-29 12:00",
      "2011-12-31 00:00",
      "2011-12-31 12:00",
    ]);
  });
});

describe("when the clock is put back", () => {
  test("Berlin: a time that comes twice is due the first time only", () => {
    expect(utc("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00")).toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
  });

  test("Berlin: asked between the two, it is not due again", () => {
    const second = Date.parse("2026-10-25T01:10Z");
    expect(new Date(nextNominal("*/15 2 * * *", "Europe/Berlin", second) ?? 0).toISOString()).toBe("2026-10-26T01:00:00.000Z");
  });

  test("Berlin: an hourly schedule has 25 runs that day", () => {
    const found = utc("0 * * * *", "Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00");
    expect(found).toHaveLength(25);
    expect(new Set(found).size).toBe(25);
  });

  test("Berlin: a step of hours follows the clock both times, and a list does not", () => {
    const day = ["Europe/Berlin", "2026-10-24T22:00", "2026-10-25T03:00"] as const;
    expect(utc("0 */2 * * *", ...day)).toEqual(["2026-10-24T22:00", "2026-10-25T00:00", "2026-10-25T01:00"]);
    expect(utc("0 0,2,4 * * *", ...day)).toEqual(["2026-10-24T22:00", "2026-10-25T00:00"]);
    expect(utc("0 0-23 * * *", ...day)).toHaveLength(5);
  });

  test("New York and Lord Howe: once each", () => {
    expect(utc("30 1 * * *", "America/New_York", "2026-11-01T00:00", "2026-11-02T00:00")).toEqual(["2026-11-01T05:30"]);
    expect(utc("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", "2026-04-05T00:00")).toEqual(["2026-04-04T14:45"]);
    expect(utc("15 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", "2026-04-05T00:00")).toEqual(["2026-04-04T14:15"]);
    expect(utc("45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00", "2026-04-04T16:30")).toEqual([
      "2026-04-04T14:45",
      "2026-04-04T15:15",
      "2026-04-04T16:15",
    ]);
  });

  test("Kolkata: no change, half an hour off", () => {
    expect(utc("0 4 * * *", "Asia/Kolkata", "2026-03-28T00:00", "2026-03-30T00:00")).toEqual(["2026-03-28T22:30", "2026-03-29T22:30"]);
  });
});

describe("each nominal time of the years around both changes comes once", () => {
  test.each(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])(
    "in %s, each day of 2026 at each half hour",
    (zone) => {
      for (let half = 0; half < 48; half += 1) {
        const cron = `${(half % 2) * 30} ${Math.floor(half / 2)} * * *`;
        const found = nominalsBetween(cron, zone, Date.UTC(2026, 0, 1) - DAY, Date.UTC(2027, 0, 1) + DAY, 1000);
        const days = found.map((at) => onClock(zone, at).slice(0, 10)).filter((day) => day.startsWith("2026"));
        expect(days).toHaveLength(365);
        expect(new Set(days).size).toBe(365);
      }
    },
  );
});

describe("the newest nominal time", () => {
  test("is found over minutes and over years, and is null when there is none", () => {
    const until = Date.UTC(2026, 10, 22, 12, 0, 30);
    expect(lastNominal("* * * * *", "UTC", 0, until)).toBe(Date.UTC(2026, 10, 22, 12));
    expect(lastNominal("0 0 29 2 *", "UTC", 0, until)).toBe(Date.UTC(2024, 1, 29));
    expect(lastNominal("0 0 29 2 *", "UTC", Date.UTC(2024, 1, 29), until)).toBeNull();
    expect(lastNominal("0 12 * * *", "UTC", 0, Date.UTC(2026, 10, 22, 12))).toBe(Date.UTC(2026, 10, 22, 12));
  });
});

describe("what is taken and what is refused", () => {
  test.each([
    "0 4 * * *",
    "*/15 * * * *",
    "0 4 * * MON-FRI",
    "0 4 1 JAN,JUL *",
    "0 4 * * 7",
    "0 4-20/4 * * *",
    "  0   4 * * * ",
    "@hourly",
    "@Daily",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
    "@midnight",
    "0 0 29 2 *",
    "0 4 L * *",
    "0 4 * * 5#2",
  ])("%s is taken", (cron) => {
    expect(cronProblem(cron, "Europe/Berlin")).toBeNull();
    expect(nextNominal(cron, "Europe/Berlin", 0)).not.toBeNull();
  });

  test.each([
    ["0 0 4 * * *", "has six fields. Schedules have no seconds"],
    ["0 4 * *", "needs five fields"],
    ["", "needs five fields"],
    ["0 24 * * *", "Invalid value for hour: 24"],
    ["60 4 * * *", "Invalid value for minute: 60"],
    ["0 22-4 * * *", "is not a cron expression"],
    ["0 4 * * +1", '"+1" is not part of a cron expression'],
    ["daily at 4", "needs five fields"],
    ["@reboot", 'there is no "@reboot". Use @hourly'],
    ["0 0 30 2 *", "never comes"],
    ["0 0 31 4,6,9,11 *", "never comes"],
    [`${"0,".repeat(60)}0 4 * * *`, "more than 100 characters"],
  ])("%s is refused: %s", (cron, why) => {
    expect(cronProblem(cron, "Europe/Berlin")).toContain(why);
    expect(() => nextNominal(cron, "Europe/Berlin", 0)).toThrow(RangeError);
  });

  test("a zone is a name of the IANA list", () => {
    for (const zone of ["Europe/Berlin", "Asia/Kolkata", "UTC", "Etc/GMT+5"]) expect(zoneProblem(zone)).toBeNull();
    for (const zone of ["", "Berlin", "+02:00", "Europe/Berlinn", "../etc"]) expect(zoneProblem(zone)).toContain("is not a time zone");
    expect(cronProblem("0 4 * * *", "Mars/Base")).toContain('"Mars/Base" is not a time zone');
  });

  test("nicknames mean what they say", () => {
    const at = Date.UTC(2026, 10, 22, 12, 34);
    const next = (cron: string) => new Date(nextNominal(cron, "UTC", at) ?? 0).toISOString().slice(0, 16);
    expect(["@hourly", "@daily", "@weekly", "@monthly", "@yearly"].map(next)).toEqual([
      "2026-11-22T13:00",
      "2026-11-23T00:00",
      "2026-11-29T00:00",
      "2026-12-01T00:00",
      "2027-01-01T00:00",
    ]);
  });
});
