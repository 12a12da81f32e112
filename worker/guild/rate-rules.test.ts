import { expect, it } from "vitest";
import type { Hit } from "./rate-rules.ts";
import { admitHit, parseRateLimit, RATE_LIMITS_DEFAULT, rateLimitText } from "./rate-rules.ts";

const LIMIT = { count: 3, windowMs: 60_000 };

function use(times: number[], limit = LIMIT) {
  let hits: Hit[] = [];
  return times.map((at, index) => {
    const verdict = admitHit(hits, `key ${index}`, limit, at);
    if (verdict.allowed) hits = verdict.hits;
    return verdict.allowed ? true : verdict.until;
  });
}

it("lets so many uses through in any window, and says when the next one fits", () => {
  expect(use([0, 1000, 2000, 3000, 59_999, 60_000, 60_001, 61_000])).toEqual([true, true, true, 60_000, 60_000, true, 61_000, true]);
});

it("counts an interaction that comes twice once", () => {
  const first = admitHit([], "same", { count: 1, windowMs: 1000 }, 5);
  if (!first.allowed) throw new Error("refused");
  expect(admitHit(first.hits, "same", { count: 1, windowMs: 1000 }, 6)).toEqual({ allowed: true, hits: first.hits, again: true });
  expect(admitHit(first.hits, "other", { count: 1, windowMs: 1000 }, 6)).toEqual({ allowed: false, until: 1005 });
});

it("forgets uses of the future, after a clock was set back", () => {
  expect(use([100_000, 100_001, 100_002, 1000])).toEqual([true, true, true, true]);
});

it("never remembers more than the limit", () => {
  let hits: Hit[] = [];
  for (let at = 0; at < 1_000_000; at += 500) {
    const verdict = admitHit(hits, `key ${at}`, LIMIT, at);
    if (verdict.allowed) hits = verdict.hits;
    expect(hits.length).toBeLessThanOrEqual(LIMIT.count);
  }
});

it.each([
  ["5/30", { count: 5, windowMs: 30_000 }],
  [" 1 / 120 s ", { count: 1, windowMs: 120_000 }],
  ["50/3600", { count: 50, windowMs: 3_600_000 }],
  ["0/30", null],
  ["51/30", null],
  ["5/0", null],
  ["5/3601", null],
  ["5", null],
  ["-5/30", null],
  ["5/30m", null],
])("reads the limit %j", (text, limit) => {
  expect(parseRateLimit(text)).toEqual(limit);
});

it("writes the limits that it starts with as the documentation names them", () => {
  expect(Object.values(RATE_LIMITS_DEFAULT).map(rateLimitText)).toEqual(["5/30s", "3/60s", "1/120s"]);
});
