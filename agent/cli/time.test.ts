import { expect, test } from "vitest";
import { parseLocalTime } from "./time.ts";

test.each([
  ["2026-11-22 14:30", new Date(2026, 10, 22, 14, 30).getTime()],
  ["2026-11-22T14:30:05", new Date(2026, 10, 22, 14, 30, 5).getTime()],
  ["2026-11-22", new Date(2026, 10, 22, 23, 59, 59).getTime()],
  ["2026-11-22 14:30Z", Date.UTC(2026, 10, 22, 14, 30)],
  ["2026-11-22 14:30+02:00", Date.UTC(2026, 10, 22, 12, 30)],
])("%s is a time", (text, at) => {
  expect(parseLocalTime(text)).toBe(at);
});

test.each(["", "yesterday", "22.11.2026", "2026-13-01", "2026-11-22 25:00", "2026-11-22 14:30 CET"])("%j is none", (text) => {
  expect(() => parseLocalTime(text)).toThrow(expect.objectContaining({ code: "time-invalid" }));
});
