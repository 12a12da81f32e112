import { describe, expect, test } from "vitest";
import { damagedPath, joinPath, nameProblem, partialName, targetNames, windowsName } from "./names.ts";

test.each([
  ["", "empty"],
  [".", "own"],
  ["..", "parent"],
  ["a/b", "/"],
  ["/etc/passwd", "/"],
  ["nul\0byte", "NUL"],
])("a node called %j is not restored", (name, why) => {
  expect(nameProblem(Buffer.from(name))).toContain(why);
});

test.each(["a", "...", " ", "-rf", "back\\slash", "C:", "~", "\u202e"])("a node called %j is restored on Linux under its name", (name) => {
  expect(targetNames([Buffer.from(name)], "linux")).toEqual([{ name }]);
});

test("a name that is not UTF-8 stays as its bytes on Linux", () => {
  const bytes = Buffer.from([0x66, 0xff]);
  expect(targetNames([bytes], "linux")).toEqual([{ name: bytes }]);
});

test("the same name twice in a folder: only the first one", () => {
  const [first, second] = targetNames([Buffer.from("a"), Buffer.from("a")], "linux");
  expect(first?.name).toBe("a");
  expect(second).toEqual({ name: null, note: "its folder has the same name twice" });
});

describe("on Windows", () => {
  test.each([
    ["level.dat", "level.dat"],
    ["CON", "CON_"],
    ["con.txt", "con_.txt"],
    ["Com1", "Com1_"],
    ["COM¹.log", "COM¹_.log"],
    ["com10", "com10"],
    ["console", "console"],
    ["CONIN$", "CONIN$_"],
    ["nul", "nul_"],
    ["a:b", "a%3Ab"],
    ['q"s<t>u|v?w*x', "q%22s%3Ct%3Eu%7Cv%3Fw%2Ax"],
    ["back\\slash", "back%5Cslash"],
    ["trailing.", "trailing%2E"],
    ["trailing ", "trailing%20"],
    ["tab\there", "tab%09here"],
    ["...", "..%2E"],
    ["日本語 🗺️", "日本語 🗺️"],
  ])("%j becomes %j", (name, expected) => {
    expect(windowsName(name)).toBe(expected);
  });

  test("names that differ by case only get numbers, and nothing is lost", () => {
    const names = targetNames(
      ["World", "world", "WORLD", "world~2"].map((name) => Buffer.from(name)),
      "win32",
    ).map(({ name }) => name);
    expect(names).toEqual(["World", "world~2", "WORLD~3", "world~2~2"]);
    expect(new Set(names.map((name) => String(name).toLowerCase())).size).toBe(4);
  });

  test("whoever gets another name is told so", () => {
    const [, note] = targetNames([Buffer.from("fine"), Buffer.from("aux")], "win32").map((one) => one.note);
    expect(note).toContain("aux_");
  });

  test("a name can neither climb out nor name a stream or a drive", () => {
    for (const name of ["..\\x", "C:\\x", "a:stream", "\\\\host\\share"]) expect(windowsName(name)).not.toMatch(/[\\:/]/);
    expect(targetNames([Buffer.from("..")], "win32")[0]?.name).toBeNull();
  });
});

test("paths of text stay text, others are bytes", () => {
  expect(joinPath("/to", "a")).toBe("/to/a");
  expect(joinPath("/", "a")).toBe("/a");
  expect(joinPath("C:\\to", "a")).toBe("C:\\to/a");
  expect(joinPath("/to", Buffer.from([0xff]))).toEqual(Buffer.from([0x2f, 0x74, 0x6f, 0x2f, 0xff]));
});

test("the name of a damaged file fits, whatever the file is called", () => {
  expect(damagedPath("/to/level.dat")).toBe("/to/level.dat.reconsync-damaged");
  expect(damagedPath("/to/level.dat", 3)).toBe("/to/level.dat.reconsync-damaged-3");
  const long = String(damagedPath(`/to/${"é".repeat(127)}`)).slice(4);
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(255);
  expect(long).toMatch(/^é+\.reconsync-damaged$/);
  expect(Buffer.byteLength(damagedPath(Buffer.concat([Buffer.from("/to/"), Buffer.alloc(255, 0xff)]), 12))).toBe(4 + 255);
  expect(partialName("ab", 1)).toBe(".reconsync-ab-1.partial");
});
