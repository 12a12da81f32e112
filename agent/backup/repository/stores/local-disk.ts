import { randomBytes } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { chmod, type FileHandle, link, lstat, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errorCode } from "../../error-code.ts";

/** Files are never changed, so nobody may. Folders belong to one account: what they hold is encrypted, but how much and when is not. */
const FILE_MODE = 0o400;
/** Windows refuses to rename or remove what is read-only. */
const FILE_MODE_WINDOWS = 0o600;
export const FOLDER_MODE = 0o700;
/** In the name of a file that is not whole yet. */
const UNFINISHED = "-tmp-";
/** An unfinished file of this age has nobody any more who finishes it, in milliseconds. */
const LEFTOVER_MS = 24 * 60 * 60_000;
/** File systems that know no hard links say so with one of these. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL", "EISDIR"]);
/** Network file systems that cannot sync a folder say so with one of these. restic goes on as well. */
const NO_FOLDER_SYNC = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOTTY"]);
/** Windows says one of these while a virus scanner or an indexer holds a new file open: usually for less than a second. */
const HELD_ON_WINDOWS = new Set(["EBUSY", "EPERM", "EACCES"]);
const HELD_TRIES = 6;
/** Wait before the second try, doubled for each one after it: 3 seconds in all. In milliseconds. */
const HELD_FIRST_WAIT_MS = 100;

export interface LocalDiskOptions {
  platform: NodeJS.Platform;
  /** `fs.link` when absent; for tests of file systems without it. */
  link?: (existing: string, added: string) => Promise<void>;
  now: () => number;
}

/** How a file gets its name: `new`, or there was one of that name (`same` size: left; `other` size: replaced). */
export type Placed = "new" | "same" | "other";

/** Durable, create-only files in folders. Errors are those of the operating system. */
export class LocalDisk {
  readonly #windows: boolean;
  readonly #link: (existing: string, added: string) => Promise<void>;
  readonly #now: () => number;

  constructor(options: LocalDiskOptions) {
    this.#windows = options.platform === "win32";
    this.#link = options.link ?? link;
    this.#now = options.now;
  }

  /** A new name beside the path, for what is not whole yet. */
  unfinished(path: string): string {
    return `${path}${UNFINISHED}${randomBytes(6).toString("hex")}`;
  }

  /** Writes a file that must not exist, and syncs it. */
  async writeWhole(path: string, bytes: Uint8Array): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const file = await open(path, flags, this.#windows ? FILE_MODE_WINDOWS : FILE_MODE);
    try {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /**
   * Gives a whole file its name. One that has the name already is replaced only when its size is another: it is damaged then.
   * @param keep one that is there stays in any case, and the answer is `same`
   */
  async place(unfinished: string, path: string, bytes: number, keep: boolean): Promise<Placed> {
    const links = await this.#tryLink(unfinished, path);
    if (links === "made") return "new";
    if (keep && links === "unknown") return (await this.#claim(path)) ? this.#rename(unfinished, path, "new") : "same";
    const there = await lookAt(path);
    if (there === null) return this.#rename(unfinished, path, "new");
    if (keep || Number(there.size) === bytes) return "same";
    return this.#rename(unfinished, path, "other");
  }

  async #tryLink(unfinished: string, path: string): Promise<"made" | "taken" | "unknown"> {
    try {
      await this.#link(unfinished, path);
      return "made";
    } catch (error) {
      const code = errorCode(error) ?? "";
      if (code === "EEXIST") return "taken";
      if (NO_LINKS.has(code)) return "unknown";
      throw error;
    }
  }

  /** Where there are no links, only making an empty file tells which of two is first. */
  async #claim(path: string): Promise<boolean> {
    try {
      await (await open(path, "wx")).close();
      return true;
    } catch (error) {
      if (errorCode(error) === "EEXIST") return false;
      throw error;
    }
  }

  async #rename(from: string, to: string, placed: Placed): Promise<Placed> {
    await this.#patiently(() => rename(from, to));
    return placed;
  }

  /** Removes a file. One that is not there is a success. */
  async remove(path: string): Promise<void> {
    try {
      await this.#patiently(() => rm(path, { force: true }));
    } catch (error) {
      // restic makes its files read-only, which Windows takes for a reason to keep them.
      if (!this.#windows || errorCode(error) !== "EPERM") throw error;
      await chmod(path, FILE_MODE_WINDOWS);
      await rm(path, { force: true });
    }
  }

  async #patiently(work: () => Promise<void>): Promise<void> {
    for (let tried = 1; ; tried += 1) {
      try {
        await work();
        return;
      } catch (error) {
        if (!this.#windows || tried === HELD_TRIES || !HELD_ON_WINDOWS.has(errorCode(error) ?? "")) throw error;
        await delay(HELD_FIRST_WAIT_MS * 2 ** (tried - 1));
      }
    }
  }

  /** Makes a folder and those above it, durably. */
  async makeFolders(path: string): Promise<void> {
    const first = await mkdir(path, { recursive: true, mode: FOLDER_MODE });
    if (first === undefined) return;
    const top = dirname(first);
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      await this.syncFolder(folder);
      if (folder === top || folder === dirname(folder)) return;
    }
  }

  /** Makes those of the folders in a folder that are not there, and syncs it once. */
  async makeFoldersIn(folder: string, names: readonly string[]): Promise<void> {
    const there = new Set(await namesIn(folder));
    for (const name of names) if (!there.has(name)) await mkdir(join(folder, name), { recursive: true, mode: FOLDER_MODE });
    await this.syncFolder(folder);
  }

  /** A name is durable when its folder is. Windows cannot be asked to. */
  async syncFolder(path: string): Promise<void> {
    if (this.#windows) return;
    await using folder = await open(path, "r");
    try {
      await folder.sync();
    } catch (error) {
      if (!NO_FOLDER_SYNC.has(errorCode(error) ?? "")) throw error;
    }
  }

  /** Removes what processes left behind that were killed while they wrote here. */
  async sweep(folder: string): Promise<void> {
    for (const name of await namesIn(folder)) {
      if (!name.includes(UNFINISHED)) continue;
      const path = join(folder, name);
      const stats = await lookAt(path);
      if (stats !== null && this.#now() - Number(stats.mtimeMs) > LEFTOVER_MS) await rm(path, { force: true });
    }
  }
}

/** Fills the buffer from a place in the file. False: the file ends before. */
export async function fill(file: FileHandle, bytes: Buffer, offset: number): Promise<boolean> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, offset + at);
    if (bytesRead === 0) return false;
    at += bytesRead;
  }
  return true;
}

/** What is in a folder; nothing when there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

export async function lookAt(path: string): Promise<BigIntStats | null> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return null;
    throw error;
  }
}
