import { describe, expect, test } from "vitest";
import { factsOfTags, findKept, type KeptBackup, tidyKeptPath } from "./kept.ts";
import { rootOf } from "./kept-snapshots.ts";
import { keptStats, textBar } from "./stats.ts";

const kept = (id: string, at: number, more: Partial<KeptBackup> = {}): KeptBackup => ({ id, name: id.slice(0, 8), at, ...more });
const LIST = [kept(`abcd1${"0".repeat(59)}`, 3000), kept(`abcd2${"0".repeat(59)}`, 2000), kept("island-20261122T143501Z.zip", 1000)];

describe("a backup is found", () => {
  const find = (wanted: string) => LIST.indexOf(findKept(LIST, wanted, "island"));

  test("as the latest, by its name or the beginning of it, and by a time", () => {
    expect(find("latest")).toBe(0);
    expect(find("abcd2")).toBe(1);
    expect(find(LIST[1]?.id ?? "")).toBe(1);
    expect(find("island-20261122T143501Z.zip")).toBe(2);
    expect(find("1970-01-01T00:00:02.999Z")).toBe(1);
    expect(find("1970-01-01T01:00:03+01:00")).toBe(0);
  });

  test("only when it is one", () => {
    const code = (wanted: string) => {
      try {
        find(wanted);
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code("abcd")).toBe("backup-ambiguous");
    expect(code("abc")).toBe("backup-missing");
    expect(code("1970-01-01T00:00Z")).toBe("backup-missing");
    expect(code("2026-13-45T99:99Z")).toBe("backup-missing");
    expect(() => findKept([], "latest", "island")).toThrow("island has no backup.");
  });
});

test("the server's folder is found in snapshots of both systems", () => {
  expect(rootOf({ paths: ["/srv/world"] })).toBe("srv/world");
  expect(rootOf({ paths: ["C:\\games\\ark"] })).toBe("C/games/ark");
  expect(rootOf({ paths: ["\\\\nas\\share\\ark"] })).toBe("nas/share/ark");
  expect(rootOf({ paths: [] })).toBe("");
});

test("paths may be written in several ways, and cannot lead out", () => {
  expect(["/a/b/", "a//b", "./a/./b"].map(tidyKeptPath)).toEqual(["a/b", "a/b", "a/b"]);
  // Names are looked for one by one, and no folder holds one called "..".
  expect(tidyKeptPath("../a")).toBe("../a");
});

test("note and consistency are read from tags", () => {
  expect(factsOfTags(["reconsync:server=a", "reconsync:note=x=y", "reconsync:consistency=torn"])).toEqual({
    note: "x=y",
    consistency: "torn",
  });
  expect(factsOfTags(["nightly"])).toEqual({});
});

test("statistics come oldest first, with what was reused, and say nothing of what is not known", () => {
  const list = [
    kept("b", 2, { sourceBytes: 100, newBytes: 10, storedBytes: 5 }),
    kept("a", 1, { sourceBytes: 100, newBytes: 130, storedBytes: 60 }),
    kept("o", 0),
  ];
  const stats = keptStats(list, 50);
  expect(stats).toMatchObject({ backups: 3, sourceBytes: 200, storedBytes: 50, ratio: 4 });
  expect(stats.rows.map(({ id, reused }) => [id, reused])).toEqual([
    ["o", undefined],
    ["a", 0],
    ["b", 0.9],
  ]);
  expect(keptStats([], 0).ratio).toBeUndefined();
});

test("a bar shows what is more than nothing, and never more than its width", () => {
  expect([textBar(0, 10, 4), textBar(0.01, 10, 4), textBar(5, 10, 4), textBar(10, 10, 4), textBar(1, 0, 4)]).toEqual([
    "",
    "█",
    "██",
    "████",
    "",
  ]);
});
