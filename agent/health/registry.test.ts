import { describe, expect, test } from "vitest";
import { Registry } from "./registry.ts";
import { parseExposition, sampleOf } from "./testing/exposition.ts";

describe("the registry", () => {
  test("writes help, type and values; a counter from the start, a gauge once it is known", () => {
    const registry = new Registry();
    registry.counter("things_total", "Things that happened.");
    const level = registry.gauge("level", "How high it stands.");
    const before =
      "# HELP things_total Things that happened.\n# TYPE things_total counter\nthings_total 0\n" +
      "# HELP level How high it stands.\n# TYPE level gauge\n";
    expect(registry.render()).toBe(before);
    level.set({}, -1.5);
    expect(registry.render()).toBe(`${before}level -1.5\n`);
  });

  test("escapes what would break a line, so that a reader gets it back", () => {
    const registry = new Registry();
    const odd = 'a "quoted" \\ back\nslash, {brace}';
    registry.gauge("odd", `Help with \\ and\na break.`, ["name"]).set({ name: odd }, 1);
    expect(parseExposition(registry.render()).samples).toEqual([{ name: "odd", labels: { name: odd }, value: 1 }]);
  });

  test("keeps series apart by their labels, in any order of keys", () => {
    const registry = new Registry();
    const counter = registry.counter("jobs_total", "Jobs.", ["kind", "state"]);
    counter.add({ kind: "backup", state: "failed" });
    counter.add({ state: "failed", kind: "backup" });
    counter.add({ kind: "status", state: "failed" });
    expect(sampleOf(registry.render(), "jobs_total", { kind: "backup" })).toBe(2);
    expect(sampleOf(registry.render(), "jobs_total", { kind: "status" })).toBe(1);
  });

  test("forgets the series that are not wanted any more", () => {
    const registry = new Registry();
    const gauge = registry.gauge("size", "Size.", ["server"]);
    gauge.set({ server: "island" }, 1);
    gauge.set({ server: "cave" }, 2);
    gauge.keep(({ server }) => server === "cave");
    expect(parseExposition(registry.render()).samples.map(({ labels }) => labels.server)).toEqual(["cave"]);
  });

  test("counts a histogram cumulatively, with a bound included in its bucket", () => {
    const registry = new Registry();
    const histogram = registry.histogram("seconds", "Time.", [0.1, 1, 5], ["route"]);
    for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe({ route: "poll" }, value);
    const at = (le: string) => sampleOf(registry.render(), "seconds_bucket", { route: "poll", le });
    expect([at("0.1"), at("1"), at("5"), at("+Inf")]).toEqual([2, 3, 3, 4]);
    expect(sampleOf(registry.render(), "seconds_count", { route: "poll" })).toBe(4);
    expect(sampleOf(registry.render(), "seconds_sum", { route: "poll" })).toBeCloseTo(7.65);
  });

  test("reads values when somebody asks", () => {
    const registry = new Registry();
    let size = 1;
    registry.read({ name: "outbox", help: "Waiting.", type: "gauge" }, () => [{ value: size }]);
    expect(sampleOf(registry.render(), "outbox")).toBe(1);
    size = Number.POSITIVE_INFINITY;
    expect(registry.render()).toContain("outbox +Inf\n");
  });

  test("refuses a name twice", () => {
    const registry = new Registry();
    registry.gauge("level", "Once.");
    expect(() => registry.gauge("level", "Twice.")).toThrow("level");
  });
});
