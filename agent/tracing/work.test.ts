import { describe, expect, test } from "vitest";
import { newTraceparent, spanIdOf, traceIdOf } from "../../schemas/index.ts";
import { Telemetry } from "../health/telemetry.ts";
import { sampleOf } from "../health/testing/exposition.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { backupResult } from "../testing/fixtures.ts";
import { currentTrace } from "./context.ts";
import type { EndedSpan } from "./span.ts";
import { endOf } from "./work.ts";

function telemetry() {
  const made = new Telemetry({ clock: new FakeClock() });
  made.metrics.setServers(["island"]);
  const spans: EndedSpan[] = [];
  made.tracer.sink = (span) => void spans.push(span);
  const value = (name: string, labels: Record<string, string> = {}) => sampleOf(made.metrics.registry.render(), name, labels);
  return { telemetry: made, spans, value };
}

describe("a piece of work", () => {
  test("is a span with its phases below it, one after the other", () => {
    const { telemetry: made, spans } = telemetry();
    const parent = newTraceparent();
    const work = made.work({ kind: "backup", server: "island", job: "job_1", parent });
    for (const phase of ["scanning", "archiving", "archiving", "finishing"] as const) work.phase(phase);
    work.end({ state: "succeeded", backup: backupResult("island") });
    work.phase("uploading");
    expect(spans.map(({ name }) => name)).toEqual(["scanning", "archiving", "finishing", "job backup"]);
    const [job] = spans.slice(-1);
    expect(job).toMatchObject({
      ...{ kind: "consumer", traceId: traceIdOf(parent), parentSpanId: spanIdOf(parent) },
      attributes: { "reconsync.kind": "backup", "reconsync.server": "island", "reconsync.job": "job_1", "reconsync.outcome": "succeeded" },
    });
    for (const phase of spans.slice(0, 3)) expect(phase.parentSpanId).toBe(job?.spanId);
  });

  test("counts while it runs and when it ends, once", () => {
    const { telemetry: made, value } = telemetry();
    const work = made.work({ kind: "backup", server: "island" });
    expect(value("reconsync_jobs_running", { kind: "backup" })).toBe(1);
    work.end({ state: "succeeded", backup: backupResult("island", { bytes: 1234 }) });
    work.end({ state: "failed" });
    expect(value("reconsync_jobs_running", { kind: "backup" })).toBe(0);
    expect(value("reconsync_jobs_ended_total", { kind: "backup", state: "succeeded" })).toBe(1);
    expect(value("reconsync_jobs_ended_total", { kind: "backup", state: "failed" })).toBe(0);
    expect(value("reconsync_backup_written_bytes_total", { server: "island" })).toBe(1234);
  });

  test("that failed names its code, in the phase where it stopped too", () => {
    const { telemetry: made, spans } = telemetry();
    const work = made.work({ kind: "backup", server: "island" });
    work.phase("archiving");
    work.end({ state: "failed", code: "disk-full" });
    expect(spans.map(({ name, error }) => [name, error])).toEqual([
      ["archiving", "disk-full"],
      ["job backup", "disk-full"],
    ]);
  });

  test("of a schedule begins a trace of its own", () => {
    const { telemetry: made, spans } = telemetry();
    made.work({ kind: "backup", server: "island", schedule: "nightly" }).end({ state: "skipped" });
    expect(spans).toMatchObject([{ name: "run backup", attributes: { "reconsync.schedule": "nightly", "reconsync.outcome": "skipped" } }]);
    expect(spans[0]?.parentSpanId).toBeUndefined();
  });

  test("is what its code belongs to", async () => {
    const { telemetry: made } = telemetry();
    const work = made.work({ kind: "status", job: "job_2" });
    expect(await work.run(async () => currentTrace())).toEqual({ traceparent: work.traceparent, job: "job_2" });
    expect(made.traceOf("job_2")).toBe(work.traceparent);
  });

  test("of a server that the config does not name makes no series", () => {
    const { telemetry: made } = telemetry();
    made.work({ kind: "backup", server: "x" }).end({ state: "succeeded", backup: backupResult("elsewhere") });
    expect(made.metrics.registry.render()).not.toContain("elsewhere");
  });
});

test("traces of old jobs are forgotten, so that they do not grow without end", () => {
  const { telemetry: made } = telemetry();
  for (let n = 0; n < 1000; n += 1) made.work({ kind: "status", job: `job_${n}` }).end({ state: "succeeded" });
  expect(made.traceOf("job_0")).toBeUndefined();
  expect(made.traceOf("job_999")).toBeDefined();
});

test("outcomes read as ends", () => {
  expect(endOf(null)).toEqual({ state: "dropped" });
  expect(endOf({ state: "failed", error: { code: "disk-full", message: "" } })).toEqual({ state: "failed", code: "disk-full" });
  expect(endOf({ state: "returned", reason: "stopped" })).toEqual({ state: "returned" });
  const result = backupResult("island");
  expect(endOf({ state: "succeeded", kind: "backup", result })).toEqual({ state: "succeeded", backup: result });
  expect(endOf({ state: "succeeded", kind: "status", result: { servers: [] } })).toEqual({ state: "succeeded" });
});
