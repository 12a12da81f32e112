import { describe, expect, test } from "vitest";
import { newTraceparent, spanIdOf, traceIdOf } from "../../schemas/index.ts";
import { currentTrace, inTrace } from "./context.ts";
import type { EndedSpan } from "./span.ts";
import { Tracer } from "./tracer.ts";

function tracing() {
  const time = { wall: 1_800_000_000_000, tick: 0 };
  const tracer = new Tracer({ clock: { now: () => time.wall }, monotonic: () => time.tick });
  const ended: EndedSpan[] = [];
  tracer.sink = (span) => void ended.push(span);
  return { time, tracer, ended };
}

describe("a span", () => {
  test("begins a trace, or goes on with that of its parent", () => {
    const { tracer, ended } = tracing();
    const root = tracer.start("root");
    const child = tracer.start("child", { parent: root.traceparent, kind: "client", attributes: { a: 1 } });
    child.end({ attributes: { b: "two", c: undefined } });
    root.end();
    expect(ended).toMatchObject([
      {
        name: "child",
        kind: "client",
        traceId: traceIdOf(root.traceparent),
        parentSpanId: spanIdOf(root.traceparent),
        attributes: { a: 1, b: "two" },
      },
      { name: "root", kind: "internal", spanId: spanIdOf(root.traceparent) },
    ]);
    expect(ended[1]).not.toHaveProperty("parentSpanId");
  });

  test("lasts as long as it took, also when the clock was set meanwhile", () => {
    const { time, tracer, ended } = tracing();
    const span = tracer.start("work");
    time.wall -= 3_600_000;
    time.tick += 1500.25;
    expect(span.seconds).toBeCloseTo(1.50025);
    span.end();
    expect(ended).toMatchObject([{ startedAt: 1_800_000_000_000, endedAt: 1_800_000_001_500.25 }]);
  });

  test("ends once, and keeps its error", () => {
    const { tracer, ended } = tracing();
    const span = tracer.start("work");
    span.end({ error: "disk-full" });
    span.end();
    expect(ended).toMatchObject([{ error: "disk-full", attributes: { "error.type": "disk-full" } }]);
  });

  test("is not recorded when whoever began the trace does not want it", () => {
    const { tracer, ended } = tracing();
    const span = tracer.start("work", { parent: newTraceparent().replace(/01$/, "00") });
    tracer.start("below", { parent: span.traceparent }).end();
    span.end();
    expect(ended).toEqual([]);
    expect(span.traceparent.endsWith("-00")).toBe(true);
  });
});

describe("the work that code belongs to", () => {
  test("is known in all that it begins, and nowhere else", async () => {
    const [one, two] = [{ traceparent: newTraceparent(), job: "one" }, { traceparent: newTraceparent() }];
    const seen: (string | undefined)[] = [];
    const look = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(currentTrace()?.traceparent);
    };
    await Promise.all([inTrace(one, look), inTrace(two, look), look()]);
    expect(seen.toSorted()).toEqual([one.traceparent, two.traceparent, undefined].toSorted());
    expect(currentTrace()).toBeUndefined();
    expect(inTrace(one, () => inTrace(two, () => currentTrace()))).toEqual(two);
  });
});
