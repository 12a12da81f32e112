import { expect, it } from "vitest";
import type { Snapshot } from "./counts.ts";
import { noCounts } from "./counts.ts";
import { beyondIdle, idleHour, spanBetween } from "./idle-hour.ts";

const cost = { token: { ...noCounts(), workerRequests: 1, objectCalls: 1, rowsRead: 2 }, seenRows: 1 };

function snapshot(more: Partial<Snapshot>): Snapshot {
  return { counts: noCounts(), routes: {}, calls: {}, statements: {}, alarmAt: null, ...more };
}

/** Four polls in 200 s, a token refresh and a write of "last seen" among them. */
const idle = spanBetween(
  snapshot({
    counts: { ...noCounts(), workerRequests: 10, rowsWritten: 20 },
    statements: { "UPDATE hosts SET seen_at = ?": { times: 1, rowsWritten: 1 } },
  }),
  snapshot({
    counts: {
      ...noCounts(),
      workerRequests: 15,
      objectFetches: 4,
      objectCalls: 1,
      socketMessages: 4,
      rowsRead: 42,
      rowsWritten: 21,
      wakeUps: 4,
    },
    routes: { "POST /v1/token": { times: 1, lastAt: 0 }, "POST /v1/poll": { times: 4, lastAt: 0 } },
    statements: { "UPDATE hosts SET seen_at = ?": { times: 2, rowsWritten: 2 } },
  }),
  200,
);

it("tells what happens rarely from what each poll does", () => {
  expect(idle).toMatchObject({ tokens: 1, seen: { times: 1, rowsWritten: 1 }, seconds: 200 });
});

it("scales polls to an hour and adds refreshes and writes at their true rate", () => {
  const hour = idleHour(idle, cost);
  // 72 polls, and a token every 13.5 minutes.
  expect(hour.workerRequests).toBeCloseTo(72 + 3600 / 810);
  expect(hour.objectFetches).toBe(72);
  expect(hour.objectCalls).toBeCloseTo(3600 / 810);
  expect(hour.rowsRead).toBeCloseTo(40 * 18 + (2 * 3600) / 810);
  expect(hour.rowsWritten).toBe(12);
  expect(hour.wakeUps).toBe(72);
});

it("comes to the same hour whether the rare things fell into the span or not", () => {
  const quiet = {
    ...idle,
    tokens: 0,
    seen: { times: 0, rowsWritten: 0 },
    counts: { ...idle.counts, workerRequests: 4, objectCalls: 0, rowsRead: 40, rowsWritten: 0 },
  };
  expect(idleHour(quiet, cost)).toEqual(idleHour(idle, cost));
});

it("takes the idle share out of a backup", () => {
  const busy = {
    ...idle,
    seconds: 100,
    tokens: 0,
    seen: { times: 0, rowsWritten: 0 },
    counts: { ...noCounts(), workerRequests: 32.04, rowsWritten: 90, wakeUps: 1.97 },
  };
  const backup = beyondIdle(busy, idle, cost);
  expect([backup.workerRequests, backup.rowsWritten, backup.wakeUps]).toEqual([30, 90, 0]);
});
