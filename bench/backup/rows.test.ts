import { expect, test } from "vitest";
import type { Result, Round, StepName } from "./rounds.ts";
import { rowsOf } from "./rows.ts";

const result = (seconds: number, given: Partial<Result> = {}): Result => ({
  seconds,
  cpuSeconds: 1,
  peakMb: 100,
  storedBytes: 1e6,
  addedBytes: 1e6,
  ...given,
});
const round = (ours: [StepName, Result][], restic: [StepName, Result][]): Round =>
  new Map([
    ["reconsync", new Map(ours)],
    ["restic", new Map(restic)],
  ]);

test("a ratio is the median of the rounds' ratios, not the ratio of the medians", () => {
  const rounds = [
    round([["first", result(1)]], [["first", result(2)]]),
    round([["first", result(30)]], [["first", result(50)]]),
    round([["first", result(4)]], [["first", result(4)]]),
  ];
  const time = rowsOf(rounds).find(({ name }) => name === "first: wall time (peer: restic)");
  expect(time).toMatchObject({ ours: 4, peer: 4, ratio: 0.6 });
  expect(time?.problem).toBeUndefined();
});

test("a ratio above what is promised is a problem, in time, memory and bytes", () => {
  const rows = rowsOf([
    round(
      [
        ["first", result(8, { peakMb: 301, storedBytes: 1_020_000 })],
        ["incremental", result(1, { addedBytes: 700_000 })],
      ],
      [
        ["first", result(10)],
        ["incremental", result(10)],
      ],
    ),
  ]);
  expect(rows.filter(({ problem }) => problem !== undefined).map(({ name }) => name)).toEqual([
    "first: wall time (peer: restic)",
    "first: peak memory (peer: restic)",
    "first: stored (peer: restic)",
    "incremental: added (peer: restic)",
  ]);
});

test("what was not measured has no row", () => {
  const rows = rowsOf([round([["first", result(1, { peakMb: null })]], [["first", result(1)]])]);
  expect(rows.map(({ name }) => name)).toEqual([
    "first: wall time (peer: restic)",
    "first: CPU time (peer: restic)",
    "first: stored (peer: restic)",
  ]);
});
