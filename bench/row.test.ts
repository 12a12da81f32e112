import { expect, it } from "vitest";
import { jsonLines, row, table } from "./row.ts";

it("gives a ratio only where there is something to compare with", () => {
  expect(row("a", 3, 2, "ms").ratio).toBe(1.5);
  expect([row("a", 3, null, "ms").ratio, row("a", null, 2, "ms").ratio, row("a", 3, 0, "ms").ratio]).toEqual([null, null, null]);
});

it("rounds to four digits, whatever the size", () => {
  expect(row("a", 1234.567, 0.00123456, "x")).toMatchObject({ ours: 1235, peer: 0.001235 });
});

it("writes one JSON object a line, with exactly five fields", () => {
  const lines = jsonLines([row("a", 1, 2, "ms", "too slow"), row("b", null, null, "agents")]).split("\n");
  expect(lines).toEqual([
    '{"name":"a","ours":1,"peer":2,"ratio":0.5,"unit":"ms"}',
    '{"name":"b","ours":null,"peer":null,"ratio":null,"unit":"agents"}',
  ]);
});

it("aligns names to the left and numbers to the right", () => {
  expect(table([row("short", 12345, null, "agents"), row("a longer name", 1.5, 3, "ms")]).split("\n")).toEqual([
    "name             ours  peer  ratio  unit",
    "-------------  ------  ----  -----  ------",
    "short          12,350     -      -  agents",
    "a longer name     1.5     3    0.5  ms",
  ]);
});
