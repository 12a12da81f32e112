import { expect, test } from "vitest";
import { hashOf } from "../format/ids.ts";
import { isInShare } from "./share.ts";

const PACKS = Array.from({ length: 2000 }, (_, n) => hashOf(Buffer.from(`pack ${n}`)));

test.each([1, 0.5, 1 / 3, 0.1, 1 / 7, 0.01])("a share of %d comes round to every pack, and is about that share", (share) => {
  const turns = Math.ceil(1 / share);
  for (const first of [0, 1, 20_780]) {
    const seen = new Set<string>();
    for (let turn = first; turn < first + turns; turn += 1) {
      const chosen = PACKS.filter((pack) => isInShare(pack, share, turn));
      expect(Math.abs(chosen.length - share * PACKS.length)).toBeLessThan(100);
      for (const pack of chosen) seen.add(pack);
    }
    expect(seen.size).toBe(PACKS.length);
  }
});

test("no share is no pack", () => {
  expect(PACKS.filter((pack) => isInShare(pack, 0, 5))).toEqual([]);
});
