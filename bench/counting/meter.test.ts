import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Meter } from "./meter.ts";

let meter: Meter;
const object = {};

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  meter = new Meter();
});

afterEach(() => {
  vi.useRealTimers();
});

it("sorts what comes into an object by how it is billed", () => {
  for (const name of ["fetch", "webSocketMessage", "webSocketMessage", "webSocketClose", "alarm", "hostKey", "result"])
    meter.enter(object, name)();
  expect(meter.snapshot().counts).toMatchObject({ objectFetches: 1, socketMessages: 2, socketCloses: 1, alarms: 1, objectCalls: 2 });
});

it("bills handlers that run at the same time once, and the making of the object with its first handler", () => {
  meter.born();
  vi.advanceTimersByTime(5);
  const first = meter.enter(object, "result");
  vi.advanceTimersByTime(10);
  const second = meter.enter(object, "progress");
  vi.advanceTimersByTime(10);
  first();
  vi.advanceTimersByTime(10);
  second();
  vi.advanceTimersByTime(1000);
  meter.enter(object, "hosts")();
  expect(meter.snapshot().counts).toMatchObject({ wakeUps: 1, awakeMs: 35 });
});

it("reads a cursor only after it had time to be read by others", () => {
  const cursor = { rowsRead: 0, rowsWritten: 0 };
  const leave = meter.enter(object, "hosts");
  meter.statement("SELECT *\n  FROM hosts", cursor);
  cursor.rowsRead = 7;
  leave();
  expect(meter.snapshot().counts.rowsRead).toBe(7);
  expect(meter.snapshot().statements).toEqual({ "SELECT * FROM hosts": { times: 1, rowsWritten: 0 } });
});

it("leaves out what only the local runtime does", () => {
  meter.statement("INSERT OR REPLACE INTO __miniflare_do_name (id, name) VALUES (1, ?)", { rowsRead: 1, rowsWritten: 1 });
  expect(meter.snapshot().counts.rowsWritten).toBe(0);
});

it("counts a row for each alarm that is set, and knows when the next is due", () => {
  meter.alarmSet(5000);
  expect(meter.snapshot()).toMatchObject({ counts: { alarmsSet: 1, rowsWritten: 1 }, alarmAt: 5000 });
  meter.enter(object, "alarm")();
  expect(meter.snapshot().alarmAt).toBeNull();
});

it("names routes without ids", () => {
  meter.request("POST", "/v1/jobs/job_4m8s/result");
  meter.request("PUT", "/v1/archives/upload_4m8s/parts/12");
  meter.request("PUT", "/v1/archives/upload_9x9x/parts/13");
  expect(meter.snapshot().counts.workerRequests).toBe(3);
  expect(meter.snapshot().routes).toEqual({
    "POST /v1/jobs/:id/result": { times: 1, lastAt: 1_000_000 },
    "PUT /v1/archives/:id/parts/:number": { times: 2, lastAt: 1_000_000 },
  });
});
