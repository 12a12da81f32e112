import { expect, it } from "vitest";
import { minus, noCounts, plus, times } from "./counts.ts";
import { fits, gigabyteSeconds, objectRequests } from "./plan.ts";

it("counts an object's requests as they are billed", () => {
  const counts = { ...noCounts(), objectFetches: 72, objectCalls: 4, alarms: 1, socketMessages: 80, socketCloses: 72, wakeUps: 72 };
  expect(objectRequests(counts)).toBe(72 + 4 + 1 + 4);
});

it("bills an object that never sleeps 11,059 GB-s a day", () => {
  expect(Math.round(gigabyteSeconds({ ...noCounts(), awakeMs: 86_400_000 }))).toBe(11_059);
});

it("says how many agents fit by each limit, rounded down, and nothing where nothing is used", () => {
  const perDay = { ...noCounts(), workerRequests: 1835, objectFetches: 1728, rowsWritten: 288, rowsRead: 30_000, awakeMs: 86_400_000 };
  expect(fits(perDay)).toEqual([
    { limit: "Worker requests", agents: 54 },
    { limit: "object requests", agents: 57 },
    { limit: "object duration", agents: 1 },
    { limit: "rows written", agents: 347 },
    { limit: "rows read", agents: 166 },
    { limit: "R2 class A", agents: null },
    { limit: "R2 class B", agents: null },
  ]);
});

it("spreads the monthly limits of R2 over the longest month", () => {
  const found = fits({ ...noCounts(), r2ClassA: 10, r2ClassB: 2 });
  expect(found.filter((fit) => fit.agents !== null)).toEqual([
    { limit: "R2 class A", agents: 3225 },
    { limit: "R2 class B", agents: 161_290 },
  ]);
});

it("adds, subtracts and scales counts", () => {
  const one = { ...noCounts(), rowsRead: 4, alarms: 1 };
  const two = { ...noCounts(), rowsRead: 6, wakeUps: 2 };
  expect(plus(one, two)).toEqual({ ...noCounts(), rowsRead: 10, alarms: 1, wakeUps: 2 });
  expect(minus(two, one)).toEqual({ ...noCounts(), rowsRead: 2, alarms: -1, wakeUps: 2 });
  expect(times(one, 3)).toEqual({ ...noCounts(), rowsRead: 12, alarms: 3 });
});
