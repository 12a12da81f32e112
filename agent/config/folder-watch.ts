import { type FSWatcher, watch } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Logger } from "../logger.ts";
import type { Place } from "./sources.ts";

interface Watched {
  watcher: FSWatcher;
  /** Which folder this is: another one may come to stand under the same name. */
  identity: string;
  /** Undefined: every name counts. */
  names: Set<string> | undefined;
}

/**
 * Calls back when something happens to files. It watches their folders, not the files: editors put a new file in the place of the old one,
 * and Kubernetes swaps a link. Events are a hint only: some file systems send none, and none is sent when watching is not possible.
 */
export class FolderWatch {
  readonly #onEvent: () => void;
  readonly #log: Logger;
  readonly #watched = new Map<string, Watched>();

  constructor(onEvent: () => void, log: Logger) {
    this.#onEvent = onEvent;
    this.#log = log;
  }

  /** From now on these places count, and no others. A folder that has become another one is watched anew. */
  async follow(places: readonly Place[]): Promise<void> {
    const wanted = await namesByFolder(places);
    for (const [folder, { watcher, identity }] of this.#watched) {
      if (wanted.has(folder) && (await identityOf(folder)) === identity) continue;
      watcher.close();
      this.#watched.delete(folder);
    }
    for (const [folder, names] of wanted) {
      const watched = this.#watched.get(folder);
      if (watched !== undefined) watched.names = names;
      else await this.#watch(folder, names);
    }
  }

  close(): void {
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  async #watch(folder: string, names: Set<string> | undefined): Promise<void> {
    const identity = await identityOf(folder);
    if (identity === undefined) return;
    try {
      const watcher = watch(folder, { persistent: false });
      const watched: Watched = { watcher, identity, names };
      watcher.on("change", (_event, name) => {
        if (counts(name === null ? undefined : String(name), watched.names)) this.#onEvent();
      });
      watcher.on("error", (error) => {
        this.#log.debug({ err: error, folder }, "the folder cannot be watched any more");
        watcher.close();
        if (this.#watched.get(folder) === watched) this.#watched.delete(folder);
        this.#onEvent();
      });
      this.#watched.set(folder, watched);
    } catch (error) {
      this.#log.debug({ err: error, folder }, "the folder cannot be watched; its files are looked at now and then");
    }
  }
}

/** Kubernetes swaps the link `..data`, through which all files of a volume are reached. */
function counts(name: string | undefined, names: Set<string> | undefined): boolean {
  return name === undefined || names === undefined || names.has(name) || name.startsWith("..");
}

/** Every folder with the names that count in it, also where a link leads to. */
async function namesByFolder(places: readonly Place[]): Promise<Map<string, Set<string> | undefined>> {
  const folders = new Map<string, Set<string> | undefined>();
  const add = (folder: string, name: string) => {
    if (!folders.has(folder)) folders.set(folder, new Set());
    folders.get(folder)?.add(name);
  };
  for (const { folder, name } of places) {
    if (name === undefined) continue;
    add(folder, name);
    const real = await realpath(join(folder, name)).catch(() => undefined);
    if (real !== undefined) add(dirname(real), basename(real));
  }
  for (const { folder, name } of places) if (name === undefined) folders.set(folder, undefined);
  return folders;
}

async function identityOf(folder: string): Promise<string | undefined> {
  return stat(folder, { bigint: true }).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => undefined,
  );
}
