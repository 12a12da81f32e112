import { describe, expect, test } from "vitest";
import { childOf, newTraceparent, spanIdOf, traceIdOf, traceparent } from "./trace.ts";

/** The example of the W3C recommendation. */
const PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

describe("traceparent", () => {
  test("takes what the recommendation shows", () => {
    expect(traceparent.parse(PARENT)).toBe(PARENT);
    expect(traceparent.safeParse(PARENT.replace(/01$/, "00")).success).toBe(true);
  });

  test.each([
    ["another version", PARENT.replace(/^00/, "01")],
    ["the invalid version", PARENT.replace(/^00/, "ff")],
    ["a trace id of zeros", PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0".repeat(32))],
    ["a span id of zeros", PARENT.replace("00f067aa0ba902b7", "0".repeat(16))],
    ["capitals", PARENT.toUpperCase()],
    ["a digit too few", PARENT.slice(0, -1)],
    ["something behind it", `${PARENT}-00`],
    ["a line break at its end", `${PARENT}\n`],
    ["nothing", ""],
  ])("refuses %s", (_, text) => {
    expect(traceparent.safeParse(text).success).toBe(false);
  });

  test("says which trace and which span it is", () => {
    expect(traceIdOf(PARENT)).toBe("4bf92f3577b34da6a3ce929d0e0e4736");
    expect(spanIdOf(PARENT)).toBe("00f067aa0ba902b7");
  });
});

describe("newTraceparent", () => {
  test("makes a valid one that is sampled, and another one each time", () => {
    const made = Array.from({ length: 200 }, newTraceparent);
    for (const text of made) expect(traceparent.safeParse(text).success).toBe(true);
    expect(made.every((text) => text.endsWith("-01"))).toBe(true);
    expect(new Set(made.map(traceIdOf)).size).toBe(made.length);
    expect(new Set(made.map(spanIdOf)).size).toBe(made.length);
  });
});

describe("childOf", () => {
  test("stays in the trace, gets a span of its own, and keeps the flags", () => {
    const child = childOf(PARENT);
    expect(traceparent.safeParse(child).success).toBe(true);
    expect(traceIdOf(child)).toBe(traceIdOf(PARENT));
    expect(spanIdOf(child)).not.toBe(spanIdOf(PARENT));
    expect(child.endsWith("-01")).toBe(true);
    expect(childOf(PARENT.replace(/01$/, "00")).endsWith("-00")).toBe(true);
  });
});
