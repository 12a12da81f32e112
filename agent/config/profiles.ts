import { access } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type GameProfile, gameProfile } from "../../schemas/profile.ts";
import { AgentError } from "../errors.ts";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { Sources } from "./sources.ts";
import { YamlSource } from "./yaml-source.ts";

/** The package is at most so many folders above this module: two from its source, one from the bundle in dist/. */
const PACKAGE_LEVELS_MAX = 3;
/** So many files are read from a folder of profiles. */
const PROFILES_MAX = 500;

/** The profiles of a folder by id, with what is wrong in it. A profile with problems is not among them, but its id is in `broken`. */
export interface ProfileFolder {
  profiles: Map<string, GameProfile>;
  broken: Set<string>;
  problems: ConfigProblem[];
}

/**
 * The folder `games` of the package that a module belongs to, from its source as from the bundle.
 * @throws AgentError `profiles-missing` when the installation has none.
 */
export async function findGamesFolder(moduleUrl: string = import.meta.url): Promise<string> {
  let folder = path.dirname(fileURLToPath(moduleUrl));
  for (let level = 0; level < PACKAGE_LEVELS_MAX; level++) {
    const games = path.join(folder, "games");
    if ((await exists(path.join(folder, "package.json"))) && (await exists(games))) return games;
    folder = path.dirname(folder);
  }
  throw new AgentError("profiles-missing", "The game profiles that come with ReconSync are missing. Install ReconSync again.");
}

/** Reads every `ID.yaml` of a folder. @throws ConfigError when the folder cannot be listed. */
export async function loadProfiles(folder: string, sources = new Sources()): Promise<ProfileFolder> {
  const result: ProfileFolder = { profiles: new Map(), broken: new Set(), problems: [] };
  let names: string[];
  try {
    names = await sources.folder(folder, (name) => /^[^.].*\.ya?ml$/.test(name));
  } catch (error) {
    const message = `the folder of profiles cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new ConfigError([{ file: folder, line: 1, column: 1, path: "", message }]);
  }
  for (const name of names.slice(0, PROFILES_MAX)) {
    const { profile, problems } = await loadProfile(path.join(folder, name), sources);
    if (profile) result.profiles.set(profile.id, profile);
    else result.broken.add(name.replace(/\.ya?ml$/, ""));
    result.problems.push(...problems);
  }
  return result;
}

/** Reads one profile. Its file must be called after its id. */
export async function loadProfile(file: string, sources = new Sources()): Promise<{ profile?: GameProfile; problems: ConfigProblem[] }> {
  try {
    const source = await YamlSource.read(file, sources);
    const profile = source.parse(gameProfile);
    if (profile && profile.id !== path.basename(file).replace(/\.ya?ml$/, "")) {
      source.complain(["id"], `the file of the profile "${profile.id}" must be called ${profile.id}.yaml`);
    }
    return source.problems.length > 0 || !profile ? { problems: source.problems } : { profile, problems: [] };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems };
    throw error;
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
