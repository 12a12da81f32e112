import { expect, it } from "vitest";
import { bar, bytes, code, count, duration, plural, safe, time } from "./text.ts";

it.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [1_400_000_000, "1.4 GB"],
  [99_940_000, "99.9 MB"],
  [99_960_000, "100 MB"],
  [999_500, "1.0 MB"],
  [5_368_709_120, "5.4 GB"],
  [2e15, "2.0 PB"],
  [5e18, "5000 PB"],
])("writes %i bytes as %s", (value, words) => {
  expect(bytes(value)).toBe(words);
});

it.each([
  [0, "0.0 s"],
  [1400, "1.4 s"],
  [9960, "10 s"],
  [59_600, "1 min"],
  [125_000, "2 min 5 s"],
  [3_600_000, "1 h"],
  [3_661_000, "1 h 1 min"],
  [90_061_000, "1 d 1 h"],
])("writes %i ms as %s", (value, words) => {
  expect(duration(value)).toBe(words);
});

it("draws a bar that is never longer or shorter than itself", () => {
  expect(bar(0)).toBe("▱".repeat(20));
  expect(bar(0.5)).toBe("▰".repeat(10) + "▱".repeat(10));
  expect(bar(7)).toBe("▰".repeat(20));
  expect(bar(-1)).toBe("▱".repeat(20));
});

it("counts in words", () => {
  expect([plural(1, "file"), plural(0, "file"), plural(12_345, "file"), plural(2, "entry", "entries")]).toEqual([
    "1 file",
    "0 files",
    "12,345 files",
    "2 entries",
  ]);
  expect(count(1_234_567)).toBe("1,234,567");
  expect(time(1_700_000_000_999)).toBe("<t:1700000000:R>");
});

it.each([
  ["**bold** _it_ ~~no~~ `code` ||spoiler||", "\\*\\*bold\\*\\* \\_it\\_ \\~\\~no\\~\\~ \\`code\\` \\|\\|spoiler\\|\\|"],
  ["@everyone and <@123>", "@\u200beveryone and \\<@\u200b123\\>"],
  ["[click](https://evil.test)", "\\[click\\](https:\u200b//evil.test)".replace("(", "\\(").replace(/\)$/, "\\)")],
  ["# heading\nnext", "\\# heading next"],
  ["- list", "\\- list"],
  ["\u202eabc\u0000", "abc"],
  ["  ", ""],
])("makes %j harmless", (text, harmless) => {
  expect(safe(text)).toBe(harmless);
});

it("cuts long texts at whole characters", () => {
  expect([...safe("💥".repeat(300), 10)]).toHaveLength(10);
  expect(code("`a`\n".repeat(100), 20)).toHaveLength(22);
  expect(code("a`b")).toBe("`a'b`");
  expect(code("")).toBe("` `");
});
