import { expect, test } from "vitest";
import { CorruptError } from "../format/corrupt.ts";
import type { Lock } from "../format/lock-file.ts";
import { inTheWay, isStale, type SeenLock } from "./rules.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const HERE = { hostname: "here", now: NOW, isRunning: (pid: number) => pid === 1 };
const MINUTE = 60_000;

function seen(lock: Partial<Lock> & { ageMinutes?: number }): SeenLock {
  const { ageMinutes = 1, ...rest } = lock;
  const time = new Date(NOW - ageMinutes * MINUTE).toISOString();
  return { name: "a".repeat(64), lock: { time, exclusive: false, hostname: "there", username: "ann", pid: 5, ...rest } };
}

test.each([
  ["fresh, of another host", {}, false],
  ["of another host, of a process that does not run here", { pid: 7 }, false],
  ["30 minutes old", { ageMinutes: 30 }, false],
  ["31 minutes old", { ageMinutes: 31 }, true],
  ["of this host, and its process runs", { hostname: "here", pid: 1 }, false],
  ["of this host, and its process is gone", { hostname: "here", pid: 2 }, true],
  ["from the future", { ageMinutes: -60 }, false],
] as const)("a lock that is %s: stale is %o in the end", (_, lock, stale) => {
  expect(isStale(seen(lock), HERE)).toBe(stale);
});

test.each([
  ["shared", {}, null],
  ["shared", { exclusive: true }, "locked exclusively by process 5 of ann on there"],
  ["exclusive", {}, "locked by process 5 of ann on there"],
  ["exclusive", { exclusive: true }, "locked exclusively"],
  ["exclusive", { exclusive: true, ageMinutes: 31 }, null],
] as const)("to take a %s lock beside %j", (kind, lock, expected) => {
  const answer = inTheWay([seen(lock)], kind, HERE);
  if (expected === null) expect(answer).toBeNull();
  else expect(answer).toContain(expected);
});

test("a damaged lock is in the way of those who would remove things only", () => {
  const damaged: SeenLock = { name: "b".repeat(64), damage: new CorruptError("lock b", "it is cut short") };
  expect(isStale(damaged, HERE)).toBe(false);
  expect(inTheWay([damaged], "shared", HERE)).toBeNull();
  expect(inTheWay([damaged], "exclusive", HERE)).toContain("b".repeat(64));
});
