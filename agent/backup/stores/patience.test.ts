import { describe, expect, it } from "vitest";
import { backoffMs, retryAfterMs } from "./patience.ts";

describe("backoffMs", () => {
  it("doubles up to a bound, half of it random", () => {
    expect([1, 2, 3, 20].map((retry) => backoffMs(retry, 0))).toEqual([250, 500, 1000, 15_000]);
    expect([1, 2, 3, 20].map((retry) => backoffMs(retry, 1))).toEqual([500, 1000, 2000, 30_000]);
  });
});

describe("retryAfterMs", () => {
  const now = Date.parse("2026-11-22T14:00:00Z");
  it("reads seconds and dates, within bounds, and nothing else", () => {
    expect(retryAfterMs("3", now)).toBe(3000);
    expect(retryAfterMs("Sun, 22 Nov 2026 14:00:30 GMT", now)).toBe(30_000);
    expect(retryAfterMs("Sun, 22 Nov 2026 13:00:00 GMT", now)).toBe(0);
    expect(retryAfterMs("86400", now)).toBe(300_000);
    expect(retryAfterMs("soon", now)).toBe(0);
    expect(retryAfterMs(null, now)).toBe(0);
  });
});
