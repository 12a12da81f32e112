import { describe, expect, it } from "vitest";
import { createFilter } from "./globs.ts";

const filter = (include: string[], exclude: string[] = [], ignoreCase = false) => createFilter({ include, exclude }, { ignoreCase });

describe("createFilter", () => {
  it("takes everything for **, names that begin with a dot too", () => {
    const all = filter(["**"]);
    expect([all.includes("a/b.txt"), all.includes(".hidden/.x"), all.mayContain("any")]).toEqual([true, true, true]);
  });

  it("reads ./saves/, /saves and saves as the same", () => {
    for (const glob of ["./saves/", "/saves", "saves"]) expect(filter([glob]).includes("saves")).toBe(true);
  });

  it("excludes nothing without globs, and includes nothing without globs", () => {
    expect(filter(["**"]).excludes("a")).toBe(false);
    expect(filter([]).includes("a")).toBe(false);
    expect(filter([]).mayContain("a")).toBe(false);
  });

  it("looks only into folders that may hold something", () => {
    const some = filter(["world/region/*.mca", "mods"]);
    expect(["world", "world/region", "mods", "mods/deep"].map(some.mayContain)).toEqual([true, true, true, true]);
    expect(["logs", "worlds", "world2"].map(some.mayContain)).toEqual([false, false, false]);
  });

  it("looks everywhere when a glob begins with a pattern, or escapes something", () => {
    expect(filter(["*.db"]).mayContain("deep/er")).toBe(true);
    expect(filter(["a\\[b\\]/*"]).mayContain("a[b]")).toBe(true);
    expect(filter(["a\\[b\\]/*"]).includes("a[b]/c")).toBe(true);
  });

  it("tells upper from lower case, but not on Windows", () => {
    expect(filter(["Saved/**"], ["*.LOG"]).includes("saved/a")).toBe(false);
    const windows = filter(["Saved/**"], ["*.LOG"], true);
    expect([windows.includes("saved/a"), windows.excludes("x.log"), windows.mayContain("SAVED")]).toEqual([true, true, true]);
  });

  it("takes a leading ! as part of the name, not as the opposite", () => {
    expect(filter(["!a"]).includes("b")).toBe(false);
  });
});
