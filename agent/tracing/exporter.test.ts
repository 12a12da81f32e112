import { describe, expect, onTestFinished, test } from "vitest";
import { newTraceparent, spanIdOf, traceIdOf } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { Secret } from "../config/secret.ts";
import { HastyClock } from "../testing/fake-clock.ts";
import { eventually, memoryLogger } from "../testing/fixtures.ts";
import { ATTEMPTS_MAX, BATCH_MAX, QUEUE_MAX, SpanExporter } from "./exporter.ts";
import { rejectedSpans } from "./otlp-json.ts";
import type { EndedSpan } from "./span.ts";
import { Collector } from "./testing/collector.ts";

async function exporting(given: { collector?: Collector; headers?: Record<string, string> } = {}) {
  const collector = given.collector ?? (await Collector.start());
  const counted = { exported: 0, dropped: 0 };
  const { log, lines } = memoryLogger();
  const hasty = new HastyClock(100);
  const gate = { open: Promise.resolve() };
  const clock: Clock = {
    now: () => hasty.now(),
    sleep: async (ms, signal) => {
      await gate.open;
      await hasty.sleep(ms, signal);
    },
  };
  const exporter = new SpanExporter({
    config: {
      endpoint: collector.origin,
      headers: Object.fromEntries(Object.entries(given.headers ?? {}).map(([name, value]) => [name, new Secret(value)])),
      serviceName: "test",
    },
    resource: { attributes: { "service.name": "test", "service.version": "1" }, scope: { name: "reconsync", version: "1" } },
    ...{ clock, log, fetch, random: () => 0 },
    onExported: (spans) => {
      counted.exported += spans;
    },
    onDropped: (spans) => {
      counted.dropped += spans;
    },
  });
  onTestFinished(() => exporter.stop(0));
  return { collector, exporter, counted, lines, gate };
}

function span(name: string, given: Partial<EndedSpan> = {}): EndedSpan {
  const traceparent = newTraceparent();
  const ids = { traceId: traceIdOf(traceparent), spanId: spanIdOf(traceparent) };
  return { ...ids, name, kind: "internal", startedAt: 1_800_000_000_000, endedAt: 1_800_000_000_001.5, attributes: {}, ...given };
}

describe("the exporter", () => {
  test("sends what a collector can read, with its headers", async () => {
    const { collector, exporter, counted } = await exporting({ headers: { authorization: "Bearer s3cr3t" } });
    const parent = "00f067aa0ba902b7";
    exporter.push(
      span("work", { kind: "consumer", parentSpanId: parent, attributes: { text: "x", whole: 3, part: 0.5, yes: true, no: undefined } }),
    );
    exporter.push(span("broken", { error: "disk-full" }));
    await eventually(() => collector.spans.length === 2, "they arrive");
    expect(collector.spans).toMatchObject([
      {
        ...{ name: "work", kind: 5, parentSpanId: parent, attributes: { text: "x", whole: "3", part: 0.5, yes: true } },
        ...{ startTimeUnixNano: "1800000000000000000", endTimeUnixNano: "1800000000001500000" },
        resource: { "service.name": "test", "service.version": "1" },
      },
      { name: "broken", kind: 1, status: { code: 2, message: "disk-full" } },
    ]);
    expect(collector.spans[0]?.attributes).not.toHaveProperty("no");
    expect(collector.requests[0]?.headers).toMatchObject({ authorization: "Bearer s3cr3t", "content-type": "application/json" });
    await eventually(() => counted.exported === 2, "they are counted");
    expect(counted.dropped).toBe(0);
  });

  test("a full batch goes at once, and no request holds more", async () => {
    const { collector, exporter } = await exporting();
    for (let n = 0; n < BATCH_MAX + 10; n += 1) exporter.push(span(`span ${n}`));
    await eventually(() => collector.spans.length === BATCH_MAX + 10, "all arrive");
    expect(collector.requests).toHaveLength(2);
  });

  test("drops and counts what is too much while the collector does not answer, and sends the rest when it does", async () => {
    const held = Promise.withResolvers<undefined>();
    const { collector, exporter, counted } = await exporting();
    collector.fault = () => held.promise;
    exporter.push(span("first"));
    await eventually(() => collector.requests.length === 1, "a request is under way");
    for (let n = 0; n < QUEUE_MAX + 25; n += 1) exporter.push(span("more"));
    expect(counted.dropped).toBe(25);
    held.resolve(undefined);
    await eventually(() => counted.exported === QUEUE_MAX + 1, "the rest arrives");
    expect(counted.dropped).toBe(25);
  });

  test("tries again after 'not now' and after no answer, tells it once, and says when it is over", async () => {
    const { collector, exporter, counted, lines, gate } = await exporting();
    let refusals = 2;
    collector.fault = () => (refusals-- > 0 ? { status: 503, headers: { "retry-after": "1" } } : undefined);
    exporter.push(span("late"));
    await eventually(() => counted.exported === 1, "it arrives at last");
    await collector.stop();
    exporter.push(span("later"));
    // The next attempt waits until there is somebody to answer it.
    const back = Promise.withResolvers<void>();
    gate.open = back.promise;
    await eventually(() => lines.filter(({ code }) => code === "otlp-unavailable").length === 3, "nobody answers");
    await collector.start();
    back.resolve();
    await eventually(() => counted.exported === 2, "it arrives too");
    expect(counted.dropped).toBe(0);
    expect(lines.filter(({ level }) => level === 40)).toHaveLength(2);
    expect(lines.filter(({ msg }) => msg === "the trace collector takes spans again")).toHaveLength(2);
  });

  test("gives a batch up after its attempts", async () => {
    const { collector, exporter, counted } = await exporting();
    collector.fault = () => ({ status: 503 });
    exporter.push(span("lost"));
    await eventually(() => counted.dropped === 1, "it is dropped");
    expect(collector.requests).toHaveLength(ATTEMPTS_MAX);
    expect(counted.exported).toBe(0);
  });

  test.each([400, 401, 404, 413, 500, 302])("does not try again after %i", async (status) => {
    const { collector, exporter, counted } = await exporting();
    collector.fault = () => ({ status, ...(status === 302 && { headers: { location: "http://127.0.0.1:1/" } }) });
    exporter.push(span("refused"));
    await eventually(() => counted.dropped === 1, "it is dropped");
    expect(collector.requests).toHaveLength(1);
  });

  test("counts what the collector says it did not take", async () => {
    const { collector, exporter, counted } = await exporting();
    collector.fault = () => ({ status: 200, json: { partialSuccess: { rejectedSpans: "2", errorMessage: "too old" } } });
    for (let n = 0; n < 3; n += 1) exporter.push(span("some"));
    await eventually(() => counted.exported === 1 && counted.dropped === 2, "both are counted");
  });

  test("sends what is left when it stops", async () => {
    const { collector, exporter, counted } = await exporting();
    for (let n = 0; n < BATCH_MAX * 2 + 5; n += 1) exporter.push(span("last"));
    await exporter.stop(10_000);
    expect(collector.spans).toHaveLength(BATCH_MAX * 2 + 5);
    expect(counted).toEqual({ exported: BATCH_MAX * 2 + 5, dropped: 0 });
    exporter.push(span("too late"));
    expect(counted.dropped).toBe(1);
  });

  test("stops within its bound when the collector never answers, and counts what it leaves", async () => {
    const { collector, exporter, counted } = await exporting();
    collector.fault = () => new Promise(() => undefined);
    for (let n = 0; n < BATCH_MAX + 5; n += 1) exporter.push(span("stuck"));
    await eventually(() => collector.requests.length === 1, "a request is under way");
    await exporter.stop(50);
    expect(counted).toEqual({ exported: 0, dropped: BATCH_MAX + 5 });
  });

  test("reads no more of an answer than a collector has to say", async () => {
    const { collector, exporter, counted } = await exporting();
    collector.fault = () => ({ status: 200, body: Buffer.alloc(5_000_000, "x") });
    exporter.push(span("work"));
    await eventually(() => counted.exported === 1, "it counts as taken");
  });

  test("its log shows no header", async () => {
    const { collector, exporter, counted, lines } = await exporting({ headers: { authorization: "Bearer s3cr3t" } });
    collector.fault = () => ({ status: 401 });
    exporter.push(span("refused"));
    await eventually(() => counted.dropped === 1, "it is dropped");
    expect(lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(lines)).not.toContain("s3cr3t");
  });
});

test.each([
  ["{}", 0],
  ["", 0],
  ["<html>", 0],
  ["null", 0],
  ['{"partialSuccess":{}}', 0],
  ['{"partialSuccess":{"rejectedSpans":7}}', 7],
  ['{"partialSuccess":{"rejectedSpans":"-7"}}', 0],
])("an answer %s rejects %i", (body, rejected) => {
  expect(rejectedSpans(body)).toBe(rejected);
});
