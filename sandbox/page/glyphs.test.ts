import { expect, it } from "vitest";
import { pieces } from "./glyphs.ts";

it("finds the bar of a backup and how full it is", () => {
  const [bar, rest] = pieces("▰▰▰▱ 75 %");
  expect(bar).toMatchObject({ type: "bar", percent: 75 });
  expect(bar?.type === "bar" && bar.cells.map((cell) => cell.char).join("")).toBe("▰▰▰▱");
  expect(rest).toEqual({ type: "text", text: " 75 %" });
});

it("counts partly filled blocks by their width", () => {
  expect(pieces("██▌░")[0]).toMatchObject({ percent: 63 });
  expect(pieces("░░░░")[0]).toMatchObject({ percent: 0 });
});

it("leaves one or two blocks in a text alone", () => {
  expect(pieces("a ■ b ██")).toEqual([{ type: "text", text: "a ■ b ██" }]);
});

it("paints round status emoji", () => {
  expect(pieces("🟢 up ⚪️").map((piece) => piece.type)).toEqual(["dot", "text", "dot"]);
});
