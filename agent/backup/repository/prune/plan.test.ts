import { expect, test } from "vitest";
import { type PackUse, planPrune } from "./plan.ts";

const MIB = 1024 * 1024;
const pack = (id: string, used: number, unused: number): PackUse => ({
  id,
  usedBytes: used * MIB,
  unusedBytes: unused * MIB,
  usedBlobs: used > 0 ? 1 : 0,
});
const UNBOUNDED = Number.POSITIVE_INFINITY;
const ids = (packs: PackUse[]) => packs.map(({ id }) => id).sort();

test("packs that nobody needs go, whole ones stay", () => {
  const plan = planPrune([pack("a", 16, 0), pack("b", 0, 16)], { maxUnusedShare: 0.05, maxRepackBytes: UNBOUNDED });
  expect([ids(plan.keep), ids(plan.repack), ids(plan.remove)]).toEqual([["a"], [], ["b"]]);
});

test("the most wasteful packs are rewritten until the waste is within its share", () => {
  const packs = [pack("a", 15, 1), pack("b", 8, 8), pack("c", 4, 12), pack("d", 16, 0)];
  const repacked = (maxUnusedShare: number) => ids(planPrune(packs, { maxUnusedShare, maxRepackBytes: UNBOUNDED }).repack);
  expect(repacked(0)).toEqual(["a", "b", "c"]);
  // 43 MiB are needed: 5 % of what stays may be waste, that is 2.26 MiB.
  expect(repacked(0.05)).toEqual(["b", "c"]);
  expect(repacked(0.2)).toEqual(["c"]);
  expect(repacked(0.5)).toEqual([]);
  expect(repacked(1)).toEqual([]);
});

test("no more is rewritten than allowed in one run", () => {
  const packs = [pack("b", 8, 8), pack("c", 4, 12)];
  expect(ids(planPrune(packs, { maxUnusedShare: 0, maxRepackBytes: 5 * MIB }).repack)).toEqual(["c"]);
  expect(planPrune(packs, { maxUnusedShare: 0, maxRepackBytes: 0 }).repack).toEqual([]);
});

test("many small packs are put together, a few are left alone", () => {
  const small = Array.from({ length: 16 }, (_, n) => pack(`s${n}`, 1, 0));
  expect(planPrune([...small, pack("large", 16, 0)], { maxUnusedShare: 0.05, maxRepackBytes: UNBOUNDED }).repack).toHaveLength(16);
  expect(planPrune(small.slice(1), { maxUnusedShare: 0.05, maxRepackBytes: UNBOUNDED }).repack).toEqual([]);
});
