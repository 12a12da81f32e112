import { open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { errorCode } from "../../error-code.ts";
import { configThere } from "./errors.ts";
import { fill, LocalDisk, lookAt, namesIn } from "./local-disk.ts";
import { localError } from "./local-errors.ts";
import { isNameOf, pathOf } from "./names.ts";
import { resolveRange, tooShort } from "./ranges.ts";
import { type ByteRange, CONFIG_NAME, FILE_TYPES, type FileInfo, type FileType, type RepositoryStore } from "./store.ts";

/** A disk has little use for more at the same time. */
const PARALLEL = 4;
/** Packs are spread over these by the first two digits of their names. */
const DATA_FOLDERS = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));

export interface LocalStoreOptions {
  platform?: NodeJS.Platform;
  /** `fs.link` when absent; for tests of file systems without it. */
  link?: (existing: string, added: string) => Promise<void>;
  now?: () => number;
}

/** A repository in a folder, laid out as restic lays it out. */
export class LocalStore implements RepositoryStore {
  readonly place: string;
  readonly folder: string;
  readonly parallel = PARALLEL;
  readonly #disk: LocalDisk;
  /** Folders that were looked through for leftovers. */
  readonly #swept = new Set<string>();

  constructor(folder: string, { platform = process.platform, link, now = Date.now }: LocalStoreOptions = {}) {
    this.folder = resolve(folder);
    this.place = this.folder;
    this.#disk = new LocalDisk({ platform, link, now });
  }

  fileOf(type: FileType, name: string): string {
    return this.#path(type, name);
  }

  async create(signal?: AbortSignal): Promise<void> {
    await this.#told("make folders", async () => {
      signal?.throwIfAborted();
      await this.#disk.makeFolders(this.folder);
      for (const type of FILE_TYPES) if (type !== "config") await this.#disk.makeFolders(join(this.folder, type));
      await this.#disk.makeFoldersIn(join(this.folder, "data"), DATA_FOLDERS);
    });
  }

  read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer> {
    return this.#told("read", async () => {
      const path = this.#path(type, name);
      signal?.throwIfAborted();
      await using file = await open(path, "r");
      const { offset, length } = resolveRange(range, (await file.stat()).size, path);
      const bytes = Buffer.allocUnsafeSlow(length);
      if (!(await fill(file, bytes, offset))) throw tooShort(path, length);
      return bytes;
    });
  }

  /** The bytes are on the disk, and the name in its folder, when this resolves. */
  write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#told("write", async () => {
      const path = this.#path(type, name);
      const folder = dirname(path);
      signal?.throwIfAborted();
      await this.#sweep(folder);
      const unfinished = this.#disk.unfinished(path);
      try {
        await this.#writeWhole(unfinished, bytes);
        signal?.throwIfAborted();
        const placed = await this.#disk.place(unfinished, path, bytes.length, type === "config");
        if (placed === "same" && type === "config") throw configThere(this.place);
      } finally {
        await this.#disk.remove(unfinished);
      }
      await this.#disk.syncFolder(folder);
    });
  }

  /** Whoever made the repository may not have made every folder. The repository's own is never made here: its disk may not be mounted. */
  async #writeWhole(path: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#disk.writeWhole(path, bytes);
    } catch (error) {
      if (errorCode(error) !== "ENOENT" || (await lookAt(this.folder)) === null) throw error;
      await this.#disk.makeFolders(dirname(path));
      await this.#disk.writeWhole(path, bytes);
    }
  }

  stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    return this.#told("look", async () => {
      const path = this.#path(type, name);
      signal?.throwIfAborted();
      const stats = await lookAt(path);
      return stats === null ? null : { name, bytes: Number(stats.size) };
    });
  }

  async *list(type: FileType, signal?: AbortSignal): AsyncGenerator<FileInfo> {
    if (type === "config") {
      const found = await this.stat("config", CONFIG_NAME, signal);
      if (found !== null) yield found;
      return;
    }
    const root = join(this.folder, type);
    if (type !== "data") {
      yield* this.#listFolder(type, root, signal);
      return;
    }
    const names = await this.#told("list", () => namesIn(root));
    for (const name of names.sort()) if (/^[0-9a-f]{2}$/.test(name)) yield* this.#listFolder(type, join(root, name), signal);
  }

  async *#listFolder(type: FileType, folder: string, signal: AbortSignal | undefined): AsyncGenerator<FileInfo> {
    signal?.throwIfAborted();
    for (const name of await this.#told("list", () => namesIn(folder))) {
      signal?.throwIfAborted();
      if (!isNameOf(type, name)) continue;
      const stats = await this.#told("look", () => lookAt(join(folder, name)));
      // It may have been removed since.
      if (stats?.isFile() === true) yield { name, bytes: Number(stats.size) };
    }
  }

  remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    return this.#told("remove", async () => {
      const path = this.#path(type, name);
      signal?.throwIfAborted();
      await this.#disk.remove(path);
      // An index that comes back after a crash would name packs that are gone; a pack or a lock may come back.
      if (type === "index" && (await lookAt(dirname(path))) !== null) await this.#disk.syncFolder(dirname(path));
    });
  }

  async close(): Promise<void> {
    // Nothing stays open between two calls.
  }

  #path(type: FileType, name: string): string {
    return join(this.folder, ...pathOf(type, name).split("/"));
  }

  /** Looked at once a folder. */
  async #sweep(folder: string): Promise<void> {
    if (this.#swept.has(folder)) return;
    this.#swept.add(folder);
    await this.#disk.sweep(folder);
  }

  async #told<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw localError(error, what, this.place);
    }
  }
}
