import { describe, expect, test } from "vitest";
import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, backoff, RETRY_AFTER_MAX_MS, retryAfter } from "./backoff.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const asking = (value: string) => new Response(null, { status: 429, headers: { "retry-after": value } });

describe("the backoff", () => {
  test("stays between its bounds, whatever the number of failures and the luck", () => {
    for (const failures of [1, 2, 3, 7, 16, 17, 1000, 1e9]) {
      for (const random of [0, 0.25, 0.5, 0.999999]) {
        expect(backoff(failures, random)).toBeGreaterThanOrEqual(BACKOFF_MIN_MS);
        expect(backoff(failures, random)).toBeLessThanOrEqual(BACKOFF_MAX_MS);
      }
    }
  });

  test("doubles its upper bound, and spreads over all of the time below it", () => {
    expect([1, 2, 3, 4].map((failures) => backoff(failures, 0.9999999))).toEqual([2000, 4000, 8000, 16_000]);
    expect([1, 4, 9].map((failures) => backoff(failures, 0))).toEqual([1000, 1000, 1000]);
    expect(backoff(9, 0.5)).toBe(30_500);
  });
});

describe("Retry-After", () => {
  test.each([
    ["7", 7000],
    ["0.5", 500],
    ["0", 0],
    [new Date(NOW + 9000).toUTCString(), 9000],
    [new Date(NOW - 9000).toUTCString(), 0],
    ["999999", RETRY_AFTER_MAX_MS],
    ["soon", 0],
    ["-3", 0],
  ])("%j means %i ms", (value, ms) => {
    expect(retryAfter(asking(value), NOW)).toBe(ms);
  });

  test("is 0 when it is not there", () => {
    expect(retryAfter(new Response(null, { status: 503 }), NOW)).toBe(0);
  });
});
