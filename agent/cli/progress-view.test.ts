import { expect, test } from "vitest";
import { progressLine } from "./progress-view.ts";
import { countText, durationText } from "./text.ts";

test("progress is told in one line", () => {
  const progress = { phase: "archiving", done: 1_200_000_000, total: 2_800_000_000, bytesPerSecond: 85e6, etaSeconds: 19 } as const;
  expect(progressLine(progress)).toBe("archiving 42 % · 1.2 GB of 2.8 GB · 85.0 MB/s · 19 s left");
  expect(progressLine({ phase: "scanning", done: 0, total: 0, notice: "waits" })).toBe("scanning · waits");
});

test("durations and counts read as people say them", () => {
  expect([400, 9940, 12_000, 120_000, 125_000, 3_600_000, 4_320_000].map(durationText)).toEqual([
    ...["0.4 s", "9.9 s", "12 s", "2 min", "2 min 5 s", "1 h", "1 h 12 min"],
  ]);
  expect([countText(1, "file"), countText(25_000, "file")]).toEqual(["1 file", "25,000 files"]);
});
