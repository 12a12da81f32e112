import { expect, test } from "vitest";
import { Contents, type EntryContent, encodeContents, idsOf, LEFT_OUT_ENTRY, NOTHING, rawIds } from "./contents.ts";

const ONE = "11".repeat(32);
const TWO = "22".repeat(32);

const ENTRIES: EntryContent[] = [
  { size: 5_000_000_000_000, ids: rawIds([ONE, TWO]) },
  NOTHING,
  { ...NOTHING, target: Buffer.from([0x2f, 0xff]) },
  LEFT_OUT_ENTRY,
  { size: 4096, ids: rawIds([TWO]), database: true, copied: true },
  { ...NOTHING, target: Buffer.alloc(0) },
];

test("what was put in comes out", () => {
  const contents = new Contents(encodeContents(ENTRIES), ENTRIES.length);
  expect(ENTRIES.map((_, entry) => contents.at(entry))).toEqual(ENTRIES);
  expect(idsOf(contents.at(0).ids)).toEqual([ONE, TWO]);
});

test("every id of an entry is asked for, and the target of a link is none", () => {
  const contents = new Contents(encodeContents(ENTRIES), ENTRIES.length);
  const asked: string[] = [];
  const known = (ids: Buffer, at: number) => {
    asked.push(ids.toString("hex", at, at + 32));
    return ids[at] === 0x11;
  };
  expect(ENTRIES.map((_, entry) => contents.everyId(entry, known))).toEqual([false, true, true, true, false, true]);
  expect(asked).toEqual([ONE, TWO, TWO]);
});

test("bytes that do not fit the listing are refused", () => {
  const bytes = encodeContents(ENTRIES);
  expect(() => new Contents(bytes, ENTRIES.length - 1)).toThrow(RangeError);
  expect(() => new Contents(bytes, ENTRIES.length + 1)).toThrow(RangeError);
  expect(() => new Contents(bytes.subarray(0, -1), ENTRIES.length)).toThrow(RangeError);
  expect(() => new Contents(bytes, ENTRIES.length).at(ENTRIES.length)).toThrow(RangeError);
});
