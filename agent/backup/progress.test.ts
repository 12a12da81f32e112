import { describe, expect, it } from "vitest";
import type { Progress } from "../../schemas/index.ts";
import { advance, etaSeconds, ProgressMeter } from "./progress.ts";

describe("advance", () => {
  it("takes the first rate as it is and then follows slowly", () => {
    const first = advance({ at: 0, done: 0 }, 1000, 1000);
    expect(first).toEqual({ at: 1000, done: 1000, bytesPerSecond: 1000 });
    const slower = advance(first, 1000, 6000);
    expect(slower.bytesPerSecond).toBe(500);
  });

  it("waits until there is enough time to tell from", () => {
    const pace = { at: 0, done: 0 };
    expect(advance(pace, 1_000_000, 100)).toBe(pace);
  });

  it("never goes below zero when a clock or a count steps back", () => {
    expect(advance({ at: 0, done: 100 }, 50, 1000).bytesPerSecond).toBe(0);
    expect(advance({ at: 1000, done: 0 }, 50, 0).bytesPerSecond).toBeUndefined();
  });
});

describe("etaSeconds", () => {
  it("divides what is left by the rate", () => expect(etaSeconds(250, 1000, 50)).toBe(15));
  it("is unknown without a rate, or while nothing moves", () => {
    expect(etaSeconds(0, 10, undefined)).toBeUndefined();
    expect(etaSeconds(0, 10, 0)).toBeUndefined();
  });
  it("is zero past the end", () => expect(etaSeconds(20, 10, 5)).toBe(0));
});

describe("ProgressMeter", () => {
  it("tells each phase, and bytes now and then; the total grows with what was not foreseen", () => {
    const reports: Progress[] = [];
    let now = 0;
    const meter = new ProgressMeter(
      (progress) => reports.push(progress),
      () => now,
    );
    meter.phase("scanning");
    meter.phase("archiving", 1000);
    for (let at = 0; at < 12; at += 1) {
      now += 100;
      meter.addBytes(100);
    }
    meter.addFile();
    meter.phase("finishing");
    expect(reports[0]).toEqual({ phase: "scanning", done: 0, total: 0 });
    expect(reports.filter(({ phase }) => phase === "archiving")).toHaveLength(7);
    expect(reports.find(({ done }) => done === 600)).toMatchObject({ total: 1000, bytesPerSecond: 1000, etaSeconds: 0.4 });
    expect(reports.at(-1)).toMatchObject({ phase: "finishing", done: 1200, total: 1200, files: 1, etaSeconds: 0 });
  });
});
