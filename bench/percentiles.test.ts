import { expect, it } from "vitest";
import { median, percentile } from "./percentiles.ts";

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

it("takes the nearest rank, in any order of the samples", () => {
  expect([percentile(hundred, 50), percentile(hundred, 99), percentile(hundred, 100), percentile(hundred, 0.5)]).toEqual([50, 99, 100, 1]);
  expect([percentile([7], 50), percentile([7], 99)]).toEqual([7, 7]);
  expect(percentile([1, 2, 3], 50)).toBe(2);
});

it("sorts numbers as numbers and leaves the samples as they were", () => {
  const samples = [10, 9, 100];
  expect(percentile(samples, 100)).toBe(100);
  expect(samples).toEqual([10, 9, 100]);
});

it("has a median for odd and even counts", () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([5])]).toEqual([2, 2.5, 5]);
});

it("refuses to make up a value", () => {
  expect(() => percentile([], 50)).toThrow("no samples");
  expect(() => median([])).toThrow("no samples");
  expect(() => percentile([1], 0)).toThrow("percentile 0");
  expect(() => percentile([1], 101)).toThrow("percentile 101");
});
