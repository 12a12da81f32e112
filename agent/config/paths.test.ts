import { describe, expect, test } from "vitest";
import { defaultConfigFile, defaultStateFile, isAbsolutePath, lookUp, relation, tidyPath } from "./paths.ts";

describe("where things are by default", () => {
  test.each([
    ["linux", { HOME: "/root" }, true, "/etc/reconsync/config.yaml", "/var/lib/reconsync/state.db"],
    ["linux", { HOME: "/home/ann" }, false, "/home/ann/.config/reconsync/config.yaml", "/home/ann/.local/state/reconsync/state.db"],
    ["linux", { HOME: "/h", XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "/s" }, false, "/c/reconsync/config.yaml", "/s/reconsync/state.db"],
    [
      "linux",
      { HOME: "/h", XDG_CONFIG_HOME: "c", XDG_STATE_HOME: "" },
      false,
      "/h/.config/reconsync/config.yaml",
      "/h/.local/state/reconsync/state.db",
    ],
    ["linux", {}, false, "/etc/reconsync/config.yaml", "/var/lib/reconsync/state.db"],
    ["darwin", { HOME: "/Users/ann" }, false, "/Users/ann/.config/reconsync/config.yaml", "/Users/ann/.local/state/reconsync/state.db"],
    ["win32", { programdata: "D:\\Data" }, false, "D:\\Data\\ReconSync\\config.yaml", "D:\\Data\\ReconSync\\state.db"],
    ["win32", {}, true, "C:\\ProgramData\\ReconSync\\config.yaml", "C:\\ProgramData\\ReconSync\\state.db"],
  ] as const)("on %s with %o, root: %s", (platform, env, root, config, state) => {
    expect(defaultConfigFile(platform, env, root)).toBe(config);
    expect(defaultStateFile(platform, env, root)).toBe(state);
  });
});

test.each([
  ["linux", "/a", true],
  ["linux", "a", false],
  ["linux", "", false],
  ["linux", "C:\\a", false],
  ["win32", "C:\\a", true],
  ["win32", "c:/a", true],
  ["win32", "\\\\server\\share\\a", true],
  ["win32", "//server/share", true],
  ["win32", "\\a", false],
  ["win32", "C:a", false],
  ["win32", "/srv", false],
] as const)("on %s, whether %s is absolute: %s", (platform, text, absolute) => {
  expect(isAbsolutePath(text, platform)).toBe(absolute);
});

test.each([
  ["linux", "/a//b/../c/", "/a/c"],
  ["linux", "/", "/"],
  ["linux", "/a\\", "/a\\"],
  ["win32", "C:/a/b/", "C:\\a\\b"],
  ["win32", "C:\\", "C:\\"],
  ["win32", "\\\\server\\share\\", "\\\\server\\share\\"],
] as const)("on %s, %s is tidied to %s", (platform, text, tidy) => {
  expect(tidyPath(text, platform)).toBe(tidy);
});

test.each([
  ["linux", "/a", "/a/", "same"],
  ["linux", "/a", "/a/b/c", "inside"],
  ["linux", "/", "/a", "inside"],
  ["linux", "/a", "/ab", "elsewhere"],
  ["linux", "/a/b", "/a", "elsewhere"],
  ["linux", "/a", "/A", "elsewhere"],
  ["linux", "/a", "/a/..b", "inside"],
  ["darwin", "/a", "/A/b", "inside"],
  ["win32", "C:\\Games", "c:/games/Ark", "inside"],
  ["win32", "C:\\Games", "C:\\games\\", "same"],
  ["win32", "C:\\", "D:\\x", "elsewhere"],
  ["win32", "C:\\Games", "C:\\GamesOld", "elsewhere"],
] as const)("on %s, seen from %s, %s is %s", (platform, outer, inner, where) => {
  expect(relation(outer, inner, platform)).toBe(where);
});

test("names of variables differ by letter case, but not on Windows", () => {
  expect(lookUp({ Path: "x" }, "PATH", "linux")).toBeUndefined();
  expect(lookUp({ Path: "x" }, "PATH", "win32")).toBe("x");
});
