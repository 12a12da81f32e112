import { describe, expect, it } from "vitest";
import { dayWords, messageTime, relativeWords, timestampWords } from "./timestamps.ts";

const AT = Date.UTC(2026, 10, 22, 14, 5, 9);
const view = { now: AT, timeZone: "UTC" };

describe("absolute timestamps", () => {
  it.each([
    ["t", "2:05 PM"],
    ["T", "2:05:09 PM"],
    ["d", "11/22/2026"],
    ["D", "November 22, 2026"],
    ["f", "November 22, 2026 at 2:05 PM"],
    ["F", "Sunday, November 22, 2026 at 2:05 PM"],
    ["s", "11/22/2026, 2:05 PM"],
    ["S", "11/22/2026, 2:05:09 PM"],
  ] as const)("style %s reads %s", (style, words) => {
    expect(timestampWords(AT / 1000, style, view)).toBe(words);
  });

  it("follow the reader's zone", () => {
    expect(timestampWords(AT / 1000, "t", { now: AT, timeZone: "Asia/Tokyo" })).toBe("11:05 PM");
    expect(dayWords(AT, "Pacific/Auckland")).toBe("November 23, 2026");
  });
});

describe("relative timestamps", () => {
  it.each([
    [0, "0 seconds ago"],
    [-1000, "1 second ago"],
    [-44_000, "44 seconds ago"],
    [-60_000, "a minute ago"],
    [12_000, "in 12 seconds"],
    [5 * 60_000, "in 5 minutes"],
    [-59 * 60_000, "an hour ago"],
    [-2 * 3_600_000, "2 hours ago"],
    [-23 * 3_600_000, "a day ago"],
    [3 * 86_400_000, "in 3 days"],
    [-28 * 86_400_000, "a month ago"],
    [-200 * 86_400_000, "7 months ago"],
    [-340 * 86_400_000, "a year ago"],
    [10 * 366 * 86_400_000, "in 10 years"],
  ])("%d ms reads %s", (distance, words) => {
    expect(relativeWords(distance)).toBe(words);
  });
});

it("the time of a message names today and yesterday by the calendar, not by hours", () => {
  const hour = 3_600_000;
  expect(messageTime(AT - 2 * hour, view)).toBe("Today at 12:05 PM");
  expect(messageTime(AT - 15 * hour, view)).toBe("Yesterday at 11:05 PM");
  expect(messageTime(AT - 48 * hour, view)).toBe("11/20/2026 2:05 PM");
});
