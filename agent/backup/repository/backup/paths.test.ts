import { expect, test } from "vitest";
import { childPath, isWithin, nestedFolders, systemPath } from "./paths.ts";

test("names are put behind folders with the separator of the platform", () => {
  expect(`${childPath(Buffer.from("/srv"), Buffer.from("a"), "linux")}`).toBe("/srv/a");
  expect(`${childPath(Buffer.from("/"), Buffer.from("a"), "linux")}`).toBe("/a");
  expect(`${childPath(Buffer.from("C:\\"), Buffer.from("a"), "win32")}`).toBe("C:\\a");
  expect(`${childPath(Buffer.from("C:\\srv"), Buffer.from("a"), "win32")}`).toBe("C:\\srv\\a");
});

test("names that are not UTF-8 stay bytes, and long paths of Windows are marked as such", () => {
  const path = childPath(Buffer.from("/srv"), Buffer.from([0xff]), "linux");
  expect(systemPath(path, "linux")).toEqual(Buffer.from([0x2f, 0x73, 0x72, 0x76, 0x2f, 0xff]));
  expect(systemPath(Buffer.from("C:\\srv\\world"), "win32")).toBe("\\\\?\\C:\\srv\\world");
});

test("an absolute path is nested as restic nests it", () => {
  const names = (path: string, platform: NodeJS.Platform) => nestedFolders(path, platform).map(({ name }) => name);
  expect(nestedFolders("/srv/games/world", "linux")).toEqual([
    { name: "srv", path: "/srv" },
    { name: "games", path: "/srv/games" },
    { name: "world", path: "/srv/games/world" },
  ]);
  expect(names("/", "linux")).toEqual([]);
  expect(nestedFolders("C:\\srv\\world", "win32")).toEqual([
    { name: "C", path: "C:\\" },
    { name: "srv", path: "C:\\srv" },
    { name: "world", path: "C:\\srv\\world" },
  ]);
  expect(names("\\\\host\\share\\world", "win32")).toEqual(["host", "share", "world"]);
});

test("a path lies within itself and the folders above it, and not within names that begin alike", () => {
  expect(isWithin("/srv/a", "/srv/a", "linux")).toBe(true);
  expect(isWithin("/srv/a/b", "/srv/a", "linux")).toBe(true);
  expect(isWithin("/srv/ab", "/srv/a", "linux")).toBe(false);
  expect(isWithin("/srv", "/", "linux")).toBe(true);
  expect(isWithin("/SRV/a", "/srv", "linux")).toBe(false);
  expect(isWithin("c:\\srv\\a", "C:\\SRV", "win32")).toBe(true);
});
