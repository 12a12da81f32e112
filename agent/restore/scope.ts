import { createFilter, type PathFilter } from "../backup/globs.ts";
import type { ServerConfig } from "../config/host-config.ts";

/** What is known of a path from the folders above it. */
export interface Standing {
  readonly excluded: boolean;
  readonly inSet: boolean;
  readonly chosen: boolean;
}

/**
 * Which files of a server a restore decides about: those that its backups hold, and of these the ones that were asked for. They become what the backup
 * says, also when it says that they are not there. All others stay as they are.
 */
export class Scope {
  readonly #set: PathFilter;
  readonly #paths: PathFilter | undefined;
  readonly top: Standing;

  constructor(
    { backup }: Pick<ServerConfig, "backup">,
    paths: readonly string[] | undefined,
    platform: NodeJS.Platform = process.platform,
  ) {
    const options = { ignoreCase: platform === "win32" };
    this.#set = createFilter({ include: backup.include, exclude: backup.exclude }, options);
    this.#paths = paths === undefined ? undefined : createFilter({ include: [...paths], exclude: [] }, options);
    this.top = { excluded: false, inSet: false, chosen: paths === undefined };
  }

  /** How a path stands in a folder that stands so. */
  below(folder: Standing, path: string): Standing {
    return {
      excluded: folder.excluded || this.#set.excludes(path),
      inSet: folder.inSet || this.#set.includes(path),
      chosen: folder.chosen || this.#paths?.includes(path) === true,
    };
  }

  governs({ excluded, inSet, chosen }: Standing): boolean {
    return inSet && chosen && !excluded;
  }
}
