import { expect, test } from "vitest";
import { Heap, MANY_FILES } from "./heap.ts";

test("V8 is told to keep its heaps small once, when there are many files", () => {
  const flags: string[] = [];
  const heap = new Heap((flag) => flags.push(flag));
  for (const count of [0, 256, MANY_FILES - 1]) heap.filesSeen(count);
  expect(flags).toEqual([]);
  for (const count of [MANY_FILES, MANY_FILES + 1, 0, MANY_FILES * 2]) heap.filesSeen(count);
  expect(flags).toEqual(["--optimize-for-size"]);
});
