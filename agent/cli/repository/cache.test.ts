import { expect, test } from "vitest";
import { defaultCacheFolder } from "./cache.ts";

test.each([
  ["linux", {}, "/home/ann", "/home/ann/.cache/reconsync"],
  ["linux", { XDG_CACHE_HOME: "/var/cache/x" }, "/home/ann", "/var/cache/x/reconsync"],
  ["linux", { XDG_CACHE_HOME: "relative" }, "/home/ann", "/home/ann/.cache/reconsync"],
  ["linux", {}, "", undefined],
  ["linux", {}, "/", undefined],
  ["darwin", {}, "/Users/ann", "/Users/ann/Library/Caches/reconsync"],
  ["win32", { LOCALAPPDATA: "C:\\Users\\ann\\AppData\\Local" }, "C:\\Users\\ann", "C:\\Users\\ann\\AppData\\Local\\ReconSync\\cache"],
  ["win32", {}, "C:\\Users\\ann", "C:\\Users\\ann\\AppData\\Local\\ReconSync\\cache"],
  ["win32", {}, "", undefined],
] as const)("on %s with %j and home %j the cache is %j", (platform, env, home, folder) => {
  expect(defaultCacheFolder(platform, env, home)).toBe(folder);
});
