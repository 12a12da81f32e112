import { homedir } from "node:os";
import { posix, win32 } from "node:path";

/**
 * Where the cache lies when nobody says: where the system keeps caches of the account. Undefined when the account has no home, as some
 * services; then nothing is cached.
 */
export function defaultCacheFolder(platform: NodeJS.Platform, env: NodeJS.ProcessEnv, home: string = homedir()): string | undefined {
  if (platform === "win32") {
    const local = env.LOCALAPPDATA ?? (home === "" ? undefined : win32.join(home, "AppData", "Local"));
    return local === undefined ? undefined : win32.join(local, "ReconSync", "cache");
  }
  const xdg = env.XDG_CACHE_HOME;
  if (xdg !== undefined && posix.isAbsolute(xdg)) return posix.join(xdg, "reconsync");
  if (home === "" || home === "/") return undefined;
  return platform === "darwin" ? posix.join(home, "Library", "Caches", "reconsync") : posix.join(home, ".cache", "reconsync");
}
