import { expect, test } from "vitest";
import { found, patternText } from "./pattern.ts";

test("a pattern stands somewhere in a text, its stars for anything, in their order", () => {
  expect(found("Saved the game", "[12:00:00] Saved the game (1 s)")).toBe("Saved the game");
  expect(found("Saved * ents", "Saved 34,590 ents, cache(0.01)")).toBe("Saved * ents");
  expect(found("Saved * ents", "ents Saved")).toBeUndefined();
  expect(found("a*a", "a")).toBeUndefined();
  expect(found("*a*", "bab")).toBe("*a*");
  expect(found("saved", "Saved")).toBeUndefined();
  expect(found(["no", "yes"], "well, yes")).toBe("yes");
  expect(found("a.c", "abc")).toBeUndefined();
});

test("no text and no pattern make it slow", () => {
  const stars = "a*".repeat(99);
  const began = process.cpuUsage();
  expect(found(`${stars}b`, "a".repeat(1_000_000))).toBeUndefined();
  // A backtracking matcher would not come to an end. CPU time, since the machine may be busy.
  expect(process.cpuUsage(began).user).toBeLessThan(5_000_000);
});

test("patterns are told in words", () => {
  expect(patternText("one")).toBe('"one"');
  expect(patternText(["one", "two"])).toBe('"one" or "two"');
});
