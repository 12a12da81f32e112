import { expect, test } from "vitest";
import { hashOfPath, positionOf, REREAD_BYTES_MAX, REREAD_PERIOD_MS, RereadSample, type SampleState } from "./sample.ts";

const HOUR_MS = 3_600_000;
const FILES = Array.from({ length: 5000 }, (_, at) =>
  positionOf(hashOfPath(Buffer.from(`/srv/world/region/r.${at % 50}.${Math.floor(at / 50)}.mca`))),
);

/** Which files each of so many runs reads again. */
function runs(everyMs: number, count: number, bytes = 1000): { read: Map<number, number>; most: number; last: SampleState } {
  const read = new Map<number, number>();
  let last: SampleState = { cursor: 4_000_000_000, at: 0, bytes: FILES.length * bytes };
  let most = 0;
  for (let run = 1; run <= count; run += 1) {
    const sample = new RereadSample(last, run * everyMs);
    const wanted = FILES.filter((position) => sample.wants(position));
    for (const position of wanted) read.set(position, (read.get(position) ?? 0) + 1);
    most = Math.max(most, wanted.length);
    last = sample.next(run * everyMs, FILES.length * bytes);
  }
  return { read, most, last };
}

test.each([
  ["every hour", HOUR_MS],
  ["every 5 minutes", HOUR_MS / 12],
  ["every day", 24 * HOUR_MS],
])("every file is read again within 30 days, and about once, when runs come %s", (_, everyMs) => {
  const { read, most } = runs(everyMs, REREAD_PERIOD_MS / everyMs);
  expect(new Set(read.keys()).size).toBe(new Set(FILES).size);
  expect(Math.max(...read.values())).toBeLessThanOrEqual(2);
  expect(most).toBeLessThan((FILES.length * everyMs) / REREAD_PERIOD_MS + 100);
});

test("a run after a long pause, and the first one, read little", () => {
  const late = new RereadSample({ cursor: 0, at: 0, bytes: 1000 }, 100 * REREAD_PERIOD_MS);
  expect(FILES.filter((position) => late.wants(position)).length).toBeLessThan(FILES.length / 20);
  const first = new RereadSample(null, HOUR_MS);
  expect(FILES.filter((position) => first.wants(position)).length).toBeLessThan(FILES.length / 300);
});

test("a run a day of a large world reads about as many bytes as it may, and goes on with the rest", () => {
  const bytes = REREAD_BYTES_MAX / 10;
  const { read, most } = runs(24 * HOUR_MS, 200, bytes);
  expect(most).toBeLessThan(30);
  expect(read.size).toBeGreaterThan(1000);
});

test("a run an hour reads all of the largest world within 30 days", () => {
  const { read } = runs(HOUR_MS, 720, REREAD_BYTES_MAX);
  expect(read.size).toBe(new Set(FILES).size);
});

test("the share that is asked for counts", () => {
  const all = new RereadSample(null, 0, 1);
  expect(FILES.every((position) => all.wants(position))).toBe(true);
  const none = new RereadSample(null, 0, 0);
  expect(none.empty).toBe(true);
  expect(FILES.some((position) => none.wants(position))).toBe(false);
});

test("a clock that went back reads nothing again, and goes on from there", () => {
  const sample = new RereadSample({ cursor: 77, at: 1000, bytes: 5 }, 500);
  expect(sample.empty).toBe(true);
  expect(sample.next(500, 6)).toEqual({ cursor: 77, at: 500, bytes: 6 });
});
