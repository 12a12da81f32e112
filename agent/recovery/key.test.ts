import { expect, test } from "vitest";
import { newRecoveryKey, tidyKey } from "./key.ts";

test("a key is eight groups of four letters that nobody mistakes, and another one each time", () => {
  const keys = Array.from({ length: 200 }, () => newRecoveryKey());
  for (const key of keys) expect(key).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){7}$/);
  expect(new Set(keys).size).toBe(200);
});

test("every bit of its 160 counts", () => {
  const zero = newRecoveryKey(new Uint8Array(20));
  expect(zero).toBe("0000-0000-0000-0000-0000-0000-0000-0000");
  expect(newRecoveryKey(new Uint8Array(20).fill(255))).toBe("ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ");
  const others = Array.from({ length: 160 }, (_, bit) => {
    const bytes = new Uint8Array(20);
    bytes[bit >> 3] = 1 << (bit & 7);
    return newRecoveryKey(bytes);
  });
  expect(new Set([zero, ...others]).size).toBe(161);
});

test.each([
  ["as it is shown", "4BAZ-X3SE-83HW-26Q3-SZV9-7BA4-MS3G-E7B0"],
  ["in small letters, with white space around it", "  4baz-x3se-83hw-26q3-szv9-7ba4-ms3g-e7b0\n"],
  ["with spaces", "4BAZ X3SE 83HW 26Q3 SZV9 7BA4 MS3G E7B0"],
  ["without anything between", "4bazx3se83hw26q3szv97ba4ms3ge7b0"],
  ["with an O for a zero", "4BAZ-X3SE-83HW-26Q3-SZV9-7BA4-MS3G-E7BO"],
])("a key is understood %s", (_, typed) => {
  expect(tidyKey(typed)).toBe("4BAZ-X3SE-83HW-26Q3-SZV9-7BA4-MS3G-E7B0");
});

test.each(["correct horse battery staple", "4BAZ-X3SE", "4BAZ-X3SE-83HW-26Q3-SZV9-7BA4-MS3G-E7BU", "Päßwort"])(
  "a password of one's own stays as it is: %s",
  (typed) => {
    expect(tidyKey(` ${typed} `)).toBe(typed);
  },
);
