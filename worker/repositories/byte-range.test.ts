import { expect, it } from "vitest";
import { readRange, resolveRange } from "./byte-range.ts";

it.each([
  ["bytes=0-", { offset: 0 }],
  ["bytes=10-19", { offset: 10, length: 10 }],
  ["bytes=7-7", { offset: 7, length: 1 }],
  ["bytes=-32", { suffix: 32 }],
])("reads %s", (header, range) => expect(readRange(header)).toEqual(range));

it.each([
  undefined,
  "",
  "bytes=-",
  "bytes=-0",
  "bytes=9-8",
  "bytes=1-2,4-5",
  "items=0-1",
  "bytes=a-b",
  "bytes= 0-1",
  `bytes=${"9".repeat(20)}-`,
])("ignores %s, as the standard says", (header) => expect(readRange(header)).toBeNull());

it("ends at the object's end and knows when there is nothing", () => {
  expect(resolveRange({ offset: 5 }, 10)).toEqual({ offset: 5, length: 5 });
  expect(resolveRange({ offset: 5, length: 100 }, 10)).toEqual({ offset: 5, length: 5 });
  expect(resolveRange({ suffix: 100 }, 10)).toEqual({ offset: 0, length: 10 });
  expect(resolveRange({ suffix: 4 }, 10)).toEqual({ offset: 6, length: 4 });
  expect(resolveRange({ offset: 10 }, 10)).toBeNull();
});
