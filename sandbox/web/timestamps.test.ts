import { describe, expect, it } from "vitest";
import { messageTime, relativeWords, timestampWords } from "./timestamps.ts";

const NOW = Date.UTC(2026, 10, 22, 15, 4, 5);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("relative times", () => {
  it.each([
    [0, "now"],
    [-1 * SECOND, "a second ago"],
    [-20 * SECOND, "20 seconds ago"],
    [-MINUTE, "a minute ago"],
    [5 * MINUTE, "in 5 minutes"],
    [-HOUR, "an hour ago"],
    [3 * HOUR, "in 3 hours"],
    [-DAY, "a day ago"],
    [-10 * DAY, "10 days ago"],
    [-40 * DAY, "a month ago"],
    [-800 * DAY, "2 years ago"],
  ])("%i ms from now is %s", (distance, words) => {
    expect(relativeWords(NOW + distance, NOW)).toBe(words);
  });
});

describe("absolute times", () => {
  it.each([
    ["t", "3:04 PM"],
    ["T", "3:04:05 PM"],
    ["d", "11/22/2026"],
    ["D", "November 22, 2026"],
    ["f", "November 22, 2026 at 3:04 PM"],
    ["F", "Sunday, November 22, 2026 at 3:04 PM"],
  ] as const)("of style %s", (style, words) => {
    expect(timestampWords(NOW, style, NOW, "UTC").replaceAll("\u202f", " ")).toBe(words);
  });

  it("are in the reader's zone", () => {
    expect(timestampWords(NOW, "t", NOW, "Asia/Tokyo")).toMatch(/^12:04\sAM$/u);
  });

  it("beside a message name today and yesterday", () => {
    const plain = (at: number) => messageTime(at, NOW, "UTC").replaceAll("\u202f", " ");
    expect(plain(NOW - HOUR)).toBe("Today at 2:04 PM");
    expect(plain(NOW - DAY)).toBe("Yesterday at 3:04 PM");
    expect(plain(NOW - 3 * DAY)).toBe("11/19/2026 3:04 PM");
  });
});
