import { expect, test } from "vitest";
import { didYouMean, editDistance, suggest } from "./suggest.ts";

test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["servers", "sevrers", 1],
  ["kitten", "sitting", 3],
  ["folder", "folders", 1],
])("%s and %s are %i apart", (from, to, distance) => {
  expect(editDistance(from, to)).toBe(distance);
  expect(editDistance(to, from)).toBe(distance);
});

test("the closest word is suggested, and none when nothing is close", () => {
  const words = ["folder", "format", "store"];
  expect(suggest("fodler", words)).toBe("folder");
  expect(suggest("FORMAT", words)).toBe("format");
  expect(suggest("qqq", words)).toBeUndefined();
  expect(didYouMean("stroe", words)).toBe(' Did you mean "store"?');
  expect(didYouMean("qqq", words)).toBe("");
});
