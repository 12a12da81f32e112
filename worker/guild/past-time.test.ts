import { describe, expect, it } from "vitest";
import { parsePast } from "./past-time.ts";

const utc = (text: string) => Date.parse(`${text}Z`);
/** A Sunday afternoon; in Berlin it is an hour later. */
const NOW = utc("2026-11-22T15:04:30");
const END_OF_MINUTE = 59_999;

function read(text: string, zone = "UTC", now = NOW): number | string {
  const parsed = parsePast(text, zone, now);
  return typeof parsed === "string" ? parsed : parsed.at;
}

describe("a time that has been", () => {
  it.each([
    ["2026-11-22 14:30", "2026-11-22T14:30"],
    ["2026-11-22T14:30", "2026-11-22T14:30"],
    ["2026-11-21", "2026-11-21T23:59"],
    ["yesterday 18:00", "2026-11-21T18:00"],
    ["Yesterday  18:00", "2026-11-21T18:00"],
    ["yesterday", "2026-11-21T23:59"],
    ["today 6:05", "2026-11-22T06:05"],
    ["06:05", "2026-11-22T06:05"],
  ])("%s means up to the end of that minute or day", (text, at) => {
    expect(read(text)).toBe(utc(at) + END_OF_MINUTE);
  });

  it("is now for a day or minute that has not ended", () => {
    expect([read("today"), read("2026-11-22"), read("15:04")]).toEqual([NOW, NOW, NOW]);
  });

  it.each([
    ["2h ago", 2 * 60],
    ["2h", 2 * 60],
    ["90m", 90],
    ["90 min ago", 90],
    ["1d12h ago", 36 * 60],
    ["1w 2d ago", 9 * 24 * 60],
    ["0m", 0],
  ])("%s counts back from now", (text, minutes) => {
    expect(read(text)).toBe(NOW - minutes * 60_000);
  });

  it("is read by the clocks of the zone, also when the day is another one there", () => {
    expect(read("2026-11-22 14:30", "Europe/Berlin")).toBe(utc("2026-11-22T13:30") + END_OF_MINUTE);
    expect(read("yesterday 23:30", "Asia/Tokyo")).toBe(utc("2026-11-22T14:30") + END_OF_MINUTE);
    expect(read("00:04", "Asia/Kolkata", utc("2026-11-22T19:00"))).toBe(utc("2026-11-22T18:34") + END_OF_MINUTE);
  });

  it("is the first of two when the clocks show it twice: that never brings back too much", () => {
    expect(read("2026-10-25 02:30", "Europe/Berlin")).toBe(utc("2026-10-25T00:30") + END_OF_MINUTE);
  });

  it.each([
    ["", /write it as/],
    ["soon", /write it as 2026-11-22 14:30, yesterday 18:00 or 2h ago.*UTC/],
    ["tomorrow 10:00", /write it as/],
    ["ago", /write it as/],
    ["2026-11-22 14", /write it as/],
    ["2026-11-22 15:05", /in the past/],
    ["16:00", /in the past/],
    ["2026-11-23", /in the past/],
    ["2026-02-30 10:00", /no such date/],
    ["2026-11-21 24:00", /no such date/],
    ["25:00", /no such date/],
    ["10:60", /no such date/],
    ["1990-01-01", /too long ago/],
    ["9999d", /too long ago/],
  ])("%j is refused", (text, why) => {
    expect(read(text)).toMatch(why);
  });

  it("is refused when the clocks skip it", () => {
    expect(read("2026-03-29 02:30", "Europe/Berlin")).toMatch(/skip that time/);
  });
});
