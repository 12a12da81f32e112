import { type BigIntStats, lstatSync, readdirSync, statSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { errorCode } from "../../error-code.ts";
import type { PathFilter } from "../../globs.ts";
import { heap } from "../../heap.ts";
import type { FileLengths } from "../../lengths.ts";
import { isOurs } from "../../ours.ts";
import { missing } from "../../walk.ts";
import { worthTelling } from "./companions.ts";
import { Folder } from "./folder.ts";
import { type Listing, ListingBuilder } from "./listing.ts";
import { childPath, type PathBytes, systemPath } from "./paths.ts";
import type { Problems } from "./problems.ts";

/** Entries that are looked at before others get their turn: about 2 ms. */
const SLICE_ENTRIES = 256;

export interface WalkOptions {
  filter?: PathFilter;
  /** What the server said of its files. */
  lengths?: FileLengths;
  /** `folderKey` of folders that are left out, wherever they are met. */
  excluded: ReadonlySet<string>;
  problems: Problems;
  signal: AbortSignal;
}

/**
 * Looks into a folder and all below it. Each folder comes once its names and stats are read, before its subfolders, and knows how many of these
 * follow. What cannot be looked at is a problem, never an error.
 */
export class Walker {
  readonly #options: WalkOptions;
  readonly #builder = new ListingBuilder();
  #looked = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  async *walk(top: Folder): AsyncGenerator<Folder> {
    const open = [top];
    for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
      await this.#look(folder);
      const below = subfoldersOf(folder);
      yield folder;
      // The last one is looked at first, so that the others of a folder come in order.
      for (const entry of below.reverse()) open.push(this.#child(folder, entry));
    }
  }

  #child(folder: Folder, entry: number): Folder {
    const path = relativePath(folder.relative, folder.listing.name(entry).toString("utf8"));
    const included = folder.included || this.#options.filter?.includes(path) === true;
    return new Folder(folder.source, folder, entry, folder.pathOf(entry), path, included);
  }

  async #look(folder: Folder): Promise<void> {
    const { signal, lengths } = this.#options;
    let entries = 0;
    const names = this.#names(folder);
    const gone: Buffer[] = [];
    for (const name of names) {
      this.#looked += 1;
      if (this.#looked % SLICE_ENTRIES === 0) {
        heap.filesSeen(this.#looked);
        await turn();
        signal.throwIfAborted();
      }
      const wanted = this.#wants(folder, name);
      if (wanted === "no") continue;
      const path = childPath(folder.path, name);
      const stats = this.#stats(path);
      if (stats === undefined) gone.push(name);
      if (stats === undefined || stats === null) continue;
      if (!stats.isDirectory() && wanted === "folder") continue;
      if (stats.isDirectory() && this.#options.excluded.has(folderKey(stats))) continue;
      const length = stats.isFile() ? lengths?.of(relativePath(folder.relative, name.toString("utf8"))) : undefined;
      if (length !== undefined) {
        folder.lengths ??= new Map();
        folder.lengths.set(entries, length);
        // As if the file had no more: what is stored is compared with what was stored before.
        if (stats.size > BigInt(length)) stats.size = BigInt(length);
      }
      this.#builder.add(name, stats);
      entries += 1;
    }
    folder.listing = this.#builder.finish();
    for (const name of worthTelling(gone, folder.listing)) {
      this.#options.problems.add("vanished", childPath(folder.path, name), "it was gone when it was looked at");
    }
    folder.pending += subfoldersOf(folder).length;
  }

  #names(folder: Folder): Buffer[] {
    try {
      return readdirSync(systemPath(folder.path), { encoding: "buffer" }).sort(Buffer.compare);
    } catch (error) {
      const { reason, detail } = missing(folder.path.toString("utf8"), error);
      this.#options.problems.add(reason, folder.path, `the folder cannot be read${detail === undefined ? "" : ` (${detail})`}`);
      folder.vanished = reason === "vanished";
      return [];
    }
  }

  /** `folder`: only when it is one, since something below it may be wanted. */
  #wants(folder: Folder, name: Buffer): "yes" | "folder" | "no" {
    const { filter } = this.#options;
    const text = name.toString("utf8");
    if (isOurs(text)) return "no";
    if (filter === undefined) return "yes";
    const path = relativePath(folder.relative, text);
    if (filter.excludes(path)) return "no";
    if (folder.included || filter.includes(path)) return "yes";
    return filter.mayContain(path) ? "folder" : "no";
  }

  /** Undefined: it is gone. Null: it cannot be looked at, which is told. */
  #stats(path: PathBytes): BigIntStats | null | undefined {
    const { problems } = this.#options;
    try {
      return lstatSync(systemPath(path), { bigint: true, throwIfNoEntry: false });
    } catch (error) {
      const { reason, detail } = missing(path.toString("utf8"), error);
      problems.add(reason, path, `it cannot be looked at${detail === undefined ? "" : ` (${detail})`}`);
      return null;
    }
  }
}

function relativePath(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function subfoldersOf({ listing }: { listing: Listing }): number[] {
  const found: number[] = [];
  for (let entry = 0; entry < listing.count; entry += 1) if (listing.type(entry) === "dir") found.push(entry);
  return found;
}

/** Identity of a folder, also when it is mounted at two places. */
export function folderKey({ dev, ino }: Pick<BigIntStats, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

/** Keys of folders to be left out. What is not there cannot be met. */
export function excludedKeys(folders: readonly (string | undefined)[]): Set<string> {
  const keys = new Set<string>();
  for (const folder of folders) {
    if (folder === undefined) continue;
    try {
      // A link to the folder stands for it.
      const stats = statSync(folder, { bigint: true, throwIfNoEntry: false });
      if (stats !== undefined) keys.add(folderKey(stats));
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
    }
  }
  return keys;
}
