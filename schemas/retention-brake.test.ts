import { describe, expect, it } from "vitest";
import { BRAKE_DEFAULT, type BrakeFacts, judgeNewest, judgePlan } from "./retention-brake.ts";

const GB = 1_000_000_000;
const usual: BrakeFacts = { sourceBytes: 2 * GB, files: 400, newBytes: 20_000_000 };
const before = Array.from({ length: 10 }, (_, n) => ({ ...usual, sourceBytes: usual.sourceBytes - n * 1_000_000 }));

describe("judgeNewest", () => {
  it("lets growth and small changes pass", () => {
    expect(judgeNewest(usual, before)).toEqual([]);
    expect(judgeNewest({ ...usual, sourceBytes: 3 * GB, files: 700, newBytes: GB }, before)).toEqual([]);
    expect(judgeNewest({ ...usual, newBytes: 0 }, before)).toEqual([]);
  });

  it("sees a world that was wiped", () => {
    expect(judgeNewest({ sourceBytes: 3000, files: 2, newBytes: 3000 }, before)).toEqual([
      expect.objectContaining({ what: "size", way: "collapsed", now: 3000 }),
      { what: "files", way: "collapsed", now: 2, usual: 400 },
      expect.objectContaining({ what: "new content", now: 1 }),
    ]);
  });

  it("sees a world that exploded, or of which nearly all is new at the same size, as when somebody encrypts it", () => {
    expect(judgeNewest({ ...usual, sourceBytes: 9 * GB, newBytes: null }, before)).toEqual([
      expect.objectContaining({ what: "size", way: "exploded" }),
    ]);
    expect(judgeNewest({ ...usual, newBytes: 2 * GB }, before)).toEqual([
      expect.objectContaining({ what: "new content", way: "exploded" }),
    ]);
  });

  it("compares with the median, so that one odd backup among those before does not hide another", () => {
    const odd = [{ sourceBytes: 1000, files: 1, newBytes: 1000 }, ...before];
    expect(judgeNewest({ sourceBytes: 1000, files: 1, newBytes: 0 }, odd)).toHaveLength(2);
  });

  it("says nothing of new content of archives, and nothing while there are too few to compare with", () => {
    expect(judgeNewest({ ...usual, newBytes: null }, before)).toEqual([]);
    expect(judgeNewest({ sourceBytes: 1, files: 1, newBytes: 1 }, before.slice(0, 2))).toEqual([]);
  });
});

describe("judgePlan", () => {
  it("stops a plan that removes more than its share, unless these are a few only", () => {
    expect(judgePlan(10, 5)).toEqual([]);
    expect(judgePlan(10, 6)).toEqual([{ what: "plan", way: "removes too much", now: 6, usual: 10 }]);
    expect(judgePlan(4, BRAKE_DEFAULT.removeFree)).toEqual([]);
    expect(judgePlan(10, 6, { ...BRAKE_DEFAULT, removeShare: 0.7 })).toEqual([]);
  });
});
