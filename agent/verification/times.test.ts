import { expect, test } from "vitest";
import { decide } from "./times.ts";

const DAY_MS = 24 * 60 * 60_000;
const start = new Date(2026, 10, 23).getTime();
const row = (changes = {}) => ({ server: "island", check: "drill" as const, since: 0, settled: 0, nextAt: 0, ...changes });

/** All nominal times within so many days, as a host that is always on sees them. */
function nominals(period: "daily" | "weekly", days: number, it = row()): number[] {
  const found: number[] = [];
  let settled = decide({ ...it, since: 0 }, period, start).kind === "due" ? start : 0;
  for (let now = start; now < start + days * DAY_MS; now += 20 * 60_000) {
    const decision = decide({ ...it, settled }, period, now);
    if (decision.kind !== "due") continue;
    if (decision.nominal > start) found.push(decision.nominal);
    settled = decision.nominal;
  }
  return found;
}

test("each day, and each week, has one time, at night on the host's own clock", () => {
  const daily = nominals("daily", 28);
  expect(daily).toHaveLength(28);
  for (const at of daily) expect([2, 3, 4, 5]).toContain(new Date(at).getHours());
  expect(new Set(daily.map((at) => new Date(at).getMinutes())).size).toBeGreaterThan(5);
  const weekly = nominals("weekly", 28);
  expect(weekly).toHaveLength(4);
  expect(new Set(weekly.map((at) => new Date(at).getDay())).size).toBe(1);
});

test("servers take different nights", () => {
  const days = ["a", "b", "c", "d", "e", "f", "g", "h"].map((server) => new Date(nominals("weekly", 7, row({ server }))[0] ?? 0).getDay());
  expect(new Set(days).size).toBeGreaterThan(2);
});

test("what was missed is made up for once, by the newest", () => {
  const [first = 0] = nominals("daily", 2);
  const late = decide(row({ settled: first }), "daily", first + 9.5 * DAY_MS);
  expect(late.kind).toBe("due");
  const nominal = late.kind === "due" ? late.nominal : 0;
  expect(first + 9.5 * DAY_MS - nominal).toBeLessThan(DAY_MS);
  expect(decide(row({ settled: nominal }), "daily", first + 9.5 * DAY_MS).kind).toBe("wait");
});

test("a server that is new in the config waits for its first night", () => {
  const decision = decide(row({ since: start + DAY_MS / 2 }), "daily", start + DAY_MS / 2);
  expect(decision.kind === "wait" && decision.until > start + DAY_MS / 2).toBe(true);
});

test("what could not be done is tried again when its time comes", () => {
  const now = start + DAY_MS / 2;
  expect(decide(row({ nextAt: now + 1000 }), "daily", now)).toEqual({ kind: "wait", until: now + 1000 });
  expect(decide(row({ nextAt: now }), "daily", now).kind).toBe("due");
});

test("a clock that was far ahead stops nothing once it is right again", () => {
  const ahead = start + 400 * DAY_MS;
  expect(decide(row({ settled: ahead, since: ahead, nextAt: ahead }), "weekly", start + DAY_MS / 2).kind).toBe("due");
});
