import path from "node:path";

/** Folder names differ by letter case on Linux only. */
const ignoresCase = (platform: NodeJS.Platform) => platform === "win32" || platform === "darwin";

/** The path functions of a platform, whatever platform this runs on. */
export function flavour(platform: NodeJS.Platform): path.PlatformPath {
  return platform === "win32" ? path.win32 : path.posix;
}

/** Whether a path means the same wherever the agent is started. On Windows it needs a drive or a share: `\games` is neither. */
export function isAbsolutePath(text: string, platform: NodeJS.Platform): boolean {
  return platform === "win32" ? /^(?:[A-Za-z]:[\\/]|[\\/]{2}[^\\/]+[\\/]+[^\\/]+)/.test(text) : text.startsWith("/");
}

/** Without `.`, `..`, doubled separators and a separator at its end. */
export function tidyPath(text: string, platform: NodeJS.Platform): string {
  const { normalize, parse } = flavour(platform);
  const tidy = normalize(text);
  const { root } = parse(tidy);
  return tidy.length > root.length ? tidy.replace(/[\\/]$/, (end) => (end === "\\" && platform !== "win32" ? end : "")) : tidy;
}

/** Where `inner` lies as seen from `outer`: the same folder, inside of it, or elsewhere. Both are absolute. */
export function relation(outer: string, inner: string, platform: NodeJS.Platform): "same" | "inside" | "elsewhere" {
  const { relative, isAbsolute, sep } = flavour(platform);
  const comparable = (text: string) => (ignoresCase(platform) ? tidyPath(text, platform).toLowerCase() : tidyPath(text, platform));
  const steps = relative(comparable(outer), comparable(inner));
  if (steps === "") return "same";
  return steps === ".." || steps.startsWith(`..${sep}`) || isAbsolute(steps) ? "elsewhere" : "inside";
}

/** `env` as the platform sees it: names differ by letter case, but not on Windows. */
export function lookUp(env: NodeJS.ProcessEnv, name: string, platform: NodeJS.Platform): string | undefined {
  if (platform !== "win32") return env[name];
  const key = Object.keys(env).find((it) => it.toUpperCase() === name.toUpperCase());
  return key === undefined ? undefined : env[key];
}

/**
 * Where `config.yaml` is when nobody says: `/etc/reconsync` for root, the XDG config folder of the user otherwise,
 * `%ProgramData%\ReconSync` on Windows.
 */
export function defaultConfigFile(platform: NodeJS.Platform, env: NodeJS.ProcessEnv, root = false): string {
  return flavour(platform).join(defaultFolder(platform, env, root, ["XDG_CONFIG_HOME", ".config", "/etc/reconsync"]), "config.yaml");
}

/** Where the agent's database is when the config does not say: `/var/lib/reconsync` for root, the XDG state folder of the user otherwise. */
export function defaultStateFile(platform: NodeJS.Platform, env: NodeJS.ProcessEnv, root = false): string {
  return flavour(platform).join(defaultFolder(platform, env, root, ["XDG_STATE_HOME", ".local/state", "/var/lib/reconsync"]), "state.db");
}

function defaultFolder(
  platform: NodeJS.Platform,
  env: NodeJS.ProcessEnv,
  root: boolean,
  [variable, inHome, forRoot]: [variable: string, inHome: string, forRoot: string],
): string {
  if (platform === "win32") return path.win32.join(lookUp(env, "ProgramData", platform) || "C:\\ProgramData", "ReconSync");
  const home = env.HOME;
  if (root || !home) return forRoot;
  const xdg = env[variable];
  // The XDG base directory specification: a relative path is to be ignored.
  return path.posix.join(xdg?.startsWith("/") ? xdg : path.posix.join(home, inHome), "reconsync");
}
