import { describe, expect, test } from "vitest";
import { terminalWatch } from "./signals.ts";

describe("a terminal that is gone", () => {
  test("is one that was there at the start and does not answer any more", () => {
    const terminals = new Set([0, 1, 2]);
    const gone = terminalWatch((fd) => terminals.has(fd));
    expect(gone()).toBe(false);
    terminals.delete(2);
    expect(gone()).toBe(true);
  });

  test("is none where there never was one, as in a service", () => {
    expect(terminalWatch(() => false)()).toBe(false);
  });
});
