import { describe, expect, test } from "vitest";
import { decide, isSettled, SPANS_MAX, settle, type Timed } from "./decide.ts";

const HOUR = 3_600_000;
const at = (text: string) => Date.parse(`2026-11-22T${text}Z`);

function hourly(changes: Partial<Timed> = {}): Timed & { graceStartSeconds: number } {
  return { cron: "0 * * * *", zone: "UTC", since: at("03:30"), settled: [], graceStartSeconds: 900, ...changes };
}

describe("what a schedule has to do", () => {
  test("wait until its next time, or for ever when there is none", () => {
    expect(decide(hourly(), at("03:40"))).toEqual({ kind: "wait", until: at("04:00") });
    expect(decide(hourly({ since: Date.UTC(9999, 11, 31, 23, 30) }), Date.UTC(9999, 11, 31, 23, 40))).toMatchObject({ kind: "wait" });
  });

  test("run, from its time on, until it is settled", () => {
    const due = { kind: "due", nominal: at("04:00"), late: false, passedOver: 0 };
    expect(decide(hourly(), at("04:00"))).toEqual(due);
    expect(decide(hourly(), at("04:15"))).toEqual(due);
    expect(decide(hourly(), at("04:15:01"))).toEqual({ ...due, late: true });
    expect(decide(hourly({ settled: [[at("04:00"), at("04:00")]] }), at("04:01"))).toEqual({ kind: "wait", until: at("05:00") });
  });

  test("a time at which it was written counts, one before does not", () => {
    expect(decide(hourly({ since: at("04:00") }), at("04:00"))).toMatchObject({ kind: "due" });
    expect(decide(hourly({ since: at("04:00") + 1 }), at("04:00:01"))).toMatchObject({ kind: "wait" });
  });

  test("of many missed times only the newest counts", () => {
    expect(decide(hourly(), at("20:40"))).toEqual({ kind: "due", nominal: at("20:00"), late: true, passedOver: 16 });
  });

  test("one that waits for its turn is not due a second time", () => {
    expect(decide(hourly(), at("04:01"), at("04:00"))).toEqual({ kind: "wait", until: at("05:00") });
    expect(decide(hourly(), at("05:00"), at("04:00"))).toMatchObject({ kind: "due", nominal: at("05:00") });
  });

  test("what lies ahead of a clock that was put back is settled, and what it passed over is not", () => {
    const schedule = hourly({
      settled: [
        [at("04:00"), at("06:00")],
        [at("12:00"), at("13:00")],
      ],
    });
    expect(decide(schedule, at("05:10"))).toEqual({ kind: "wait", until: at("07:00") });
    expect(decide(schedule, at("08:05"))).toMatchObject({ kind: "due", nominal: at("08:00"), passedOver: 1 });
    expect(decide(schedule, at("12:30"))).toEqual({ kind: "wait", until: at("14:00") });
  });
});

describe("settled times", () => {
  test("grow the span before them when none lies between, in whatever order they come", () => {
    const steps = ["04:00", "05:00", "08:00", "06:00"];
    const settled = steps.reduce((spans, step) => settle(hourly({ settled: spans }), at(step)), [] as Timed["settled"]);
    expect(settled).toEqual([
      [at("04:00"), at("06:00")],
      [at("08:00"), at("08:00")],
    ]);
    expect(["04:00", "05:00", "06:00", "07:00", "08:00"].map((it) => isSettled({ settled }, at(it)))).toEqual([
      true,
      true,
      true,
      false,
      true,
    ]);
    expect(settle(hourly({ settled }), at("05:00"))).toEqual(settled);
  });

  test("are kept in a bounded number of spans, the newest", () => {
    let settled: Timed["settled"] = [];
    for (let n = 0; n < SPANS_MAX + 5; n += 1) settled = settle(hourly({ settled }), at("04:00") + 3 * n * HOUR);
    expect(settled).toHaveLength(SPANS_MAX);
    expect(settled.at(-1)?.[0]).toBe(at("04:00") + 3 * (SPANS_MAX + 4) * HOUR);
  });
});
