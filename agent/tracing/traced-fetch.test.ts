import { describe, expect, onTestFinished, test } from "vitest";
import { newTraceparent, spanIdOf, traceIdOf } from "../../schemas/index.ts";
import { systemClock } from "../clock.ts";
import { exchange } from "../control-plane/exchange.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { Telemetry } from "../health/telemetry.ts";
import { sampleOf } from "../health/testing/exposition.ts";
import { type Answer, FakeHttp } from "../testing/fake-http.ts";
import { enrolledState, fakeWorker } from "../testing/fixtures.ts";
import { inTrace } from "./context.ts";
import type { EndedSpan } from "./span.ts";
import { routeOf } from "./traced-fetch.ts";

async function answering(answer: () => Answer) {
  const seen: (string | undefined)[] = [];
  const http = new FakeHttp(async ({ headers }) => {
    seen.push(headers.traceparent === undefined ? undefined : String(headers.traceparent));
    return answer();
  });
  await http.start();
  onTestFinished(() => http.stop());
  const telemetry = new Telemetry({ clock: systemClock });
  const spans: EndedSpan[] = [];
  telemetry.tracer.sink = (span) => void spans.push(span);
  const value = (name: string, labels: Record<string, string> = {}) => sampleOf(telemetry.metrics.registry.render(), name, labels);
  return { http, seen, telemetry, spans, value, fetch: telemetry.fetch() };
}

describe("a request to the Worker", () => {
  test("is a span of the work in which it is made, and says so", async () => {
    const { http, seen, spans, fetch, value } = await answering(() => ({ status: 200 }));
    const traceparent = newTraceparent();
    await inTrace({ traceparent }, () => fetch(`${http.origin}/v1/jobs/job_0123456789abcdef/result`, { method: "POST" }));
    const [span] = spans;
    expect(span).toMatchObject({
      name: "POST /v1/jobs/:id/result",
      kind: "client",
      traceId: traceIdOf(traceparent),
      parentSpanId: spanIdOf(traceparent),
      attributes: { "http.request.method": "POST", "http.response.status_code": 200 },
    });
    expect(seen).toEqual([`00-${span?.traceId}-${span?.spanId}-01`]);
    expect(value("reconsync_control_plane_requests_total", { route: "/v1/jobs/:id/result", status: "2xx" })).toBe(1);
    expect(value("reconsync_control_plane_request_duration_seconds_count", { route: "/v1/jobs/:id/result" })).toBe(1);
  });

  test("begins a trace of its own outside of any work, another one each time", async () => {
    const { http, seen, fetch } = await answering(() => ({ status: 204 }));
    await fetch(`${http.origin}/v1/poll`, { method: "POST" });
    await fetch(`${http.origin}/v1/poll`, { method: "POST" });
    expect(new Set(seen.map((it) => traceIdOf(it ?? ""))).size).toBe(2);
  });

  test("that is refused or gets no answer is a failed span, and counted by class", async () => {
    const { http, spans, fetch, value } = await answering(() => ({ status: 503 }));
    await fetch(`${http.origin}/v1/token`, { method: "POST" });
    await http.stop();
    await expect(fetch(`${http.origin}/v1/token`, { method: "POST" })).rejects.toThrow();
    expect(spans.map(({ error }) => error)).toEqual(["503", "TypeError"]);
    expect(value("reconsync_control_plane_requests_total", { route: "/v1/token", status: "5xx" })).toBe(1);
    expect(value("reconsync_control_plane_requests_total", { route: "/v1/token", status: "none" })).toBe(1);
    expect(value("reconsync_token_refreshes_total", { outcome: "failed" })).toBe(2);
  });

  test("tells how far the clock is off", async () => {
    const { http, fetch, value } = await answering(() => ({ status: 200, headers: { date: new Date(Date.now() - 90_000).toUTCString() } }));
    await fetch(`${http.origin}/v1/token`, { method: "POST" });
    expect(value("reconsync_clock_skew_seconds")).toBeGreaterThan(88);
    expect(value("reconsync_clock_skew_seconds")).toBeLessThan(95);
  });

  test("carries a traceparent also without telemetry", async () => {
    const { http, seen } = await answering(() => ({ status: 200 }));
    const traceparent = newTraceparent();
    await exchange(fetch, `${http.origin}/v1/enroll`, { method: "POST" }, { timeoutMs: 10_000 });
    await inTrace({ traceparent }, () => exchange(fetch, `${http.origin}/v1/token`, { method: "POST" }, { timeoutMs: 10_000 }));
    expect(seen[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(traceIdOf(seen[1] ?? "")).toBe(traceIdOf(traceparent));
    expect(seen[1]).not.toBe(traceparent);
  });

  test("belongs to the span that it is given, and so does the token that it needs", async () => {
    const worker = await fakeWorker();
    const state = await enrolledState(worker);
    const seen: [string, string][] = [];
    worker.fault = ({ path, headers }) => {
      seen.push([path, traceIdOf(String(headers.traceparent))]);
      return undefined;
    };
    const telemetry = new Telemetry({ clock: systemClock });
    const plane = new WorkerClient({ identity: state.identity, clock: systemClock, fetch: telemetry.fetch() });
    const traceparent = newTraceparent();
    await plane.send({ method: "POST", path: "/v1/nothing", traceparent, timeoutMs: 10_000 });
    const trace = traceIdOf(traceparent);
    expect(seen).toEqual([
      ["/v1/token", trace],
      ["/v1/nothing", trace],
    ]);
    expect(sampleOf(telemetry.metrics.registry.render(), "reconsync_token_refreshes_total", { outcome: "succeeded" })).toBe(1);
  });
});

test.each([
  ["/v1/poll", "/v1/poll"],
  ["/v1/jobs/job_0123456789abcdef/progress", "/v1/jobs/:id/progress"],
  ["/v1/archives/upload_0123456789abcdef/parts/17", "/v1/archives/:upload/parts/:number"],
  ["/v1/archives/upload_0123456789abcdef/manifest", "/v1/archives/:upload/manifest"],
  ["/v1/archives/upload_0123456789abcdef", "/v1/archives/:upload"],
  ["/v1/archives", "/v1/archives"],
  ["/v1/jobs/a/b/c", "other"],
  ["/", "other"],
  ["/v1/poll/", "other"],
])("the path %s is of the route %s", (path, route) => {
  expect(routeOf(path)).toBe(route);
});
