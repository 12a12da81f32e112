import { randomBytes } from "node:crypto";
import { posix } from "node:path";
import { AgentError } from "../../../../errors.ts";
import { configThere } from "../errors.ts";
import { isNameOf } from "../names.ts";
import { FILE_TYPES, type FileType } from "../store.ts";
import { SFTP_STATUS, type SftpCalls, statusOf } from "./calls.ts";

const FILE_MODE = 0o400;
/** In the name of a file that is not whole yet: here, and in a local folder that may be this one. */
const UNFINISHED = "-tmp-";
/** An unfinished file of this age has nobody any more who finishes it, in seconds. */
const LEFTOVER_SECONDS = 24 * 60 * 60;

/** Writes whole files into a repository's folder. Errors are those of SFTP, but for `store-full` and another config. */
export class SftpWriter {
  readonly #folder: string;
  /** Names the folder in messages. */
  readonly #place: string;
  /** Folders that were looked through for leftovers. */
  readonly #swept = new Set<string>();

  constructor(folder: string, place: string) {
    this.#folder = folder;
    this.#place = place;
  }

  /** A new name beside the path, for what is not whole yet. */
  unfinished(path: string): string {
    return `${path}${UNFINISHED}${randomBytes(6).toString("hex")}`;
  }

  /** Writes a file that must not exist, and syncs it. */
  async writeWhole(calls: SftpCalls, path: string, bytes: Uint8Array): Promise<void> {
    const handle = await this.#openNew(calls, path);
    try {
      await this.#sweepBeside(calls, path);
      if (bytes.length > 0) await calls.write(handle, bytes);
      await calls.sync(handle);
    } catch (error) {
      if (statusOf(error) === SFTP_STATUS.failure) throw await this.#full(calls, bytes.length, error);
      throw error;
    } finally {
      await calls.close(handle);
    }
  }

  async #openNew(calls: SftpCalls, path: string): Promise<Buffer> {
    try {
      return await calls.open(path, "wx", FILE_MODE);
    } catch (error) {
      if (statusOf(error) !== SFTP_STATUS.missing || (await calls.sizeOf(this.#folder)) === null) throw error;
      // Whoever made the repository may not have made every folder.
      await calls.makeFolder(posix.dirname(posix.dirname(path)));
      await calls.makeFolder(posix.dirname(path));
      return await calls.open(path, "wx", FILE_MODE);
    }
  }

  /** Gives a whole file its name. */
  async place(calls: SftpCalls, type: FileType, unfinished: string, path: string, bytes: Uint8Array): Promise<void> {
    try {
      await calls.rename(unfinished, path);
    } catch (error) {
      const there = statusOf(error) === SFTP_STATUS.failure ? await calls.sizeOf(path) : null;
      if (there === null) throw error;
      if (await this.isSame(calls, type, path, there, bytes)) await calls.remove(unfinished);
      else await calls.replace(unfinished, path);
    }
  }

  /**
   * Whether a file that is there is what would be written.
   * @throws AgentError `store-refused` for another config
   */
  async isSame(calls: SftpCalls, type: FileType, path: string, size: number, bytes: Uint8Array): Promise<boolean> {
    if (type !== "config") return size === bytes.length;
    const there = Buffer.alloc(size);
    const handle = await calls.open(path, "r");
    try {
      // A first try may have arrived whose answer was lost.
      if (size > 0) await calls.read(handle, there, 0);
    } finally {
      await calls.close(handle);
    }
    if (Buffer.compare(there, bytes) !== 0) throw configThere(this.#place);
    return true;
  }

  /**
   * Removes what writers left behind that died here, once a folder. How old it is tells the time of a file that was made just now: the host's clock may be
   * another than ours.
   */
  async #sweepBeside(calls: SftpCalls, path: string): Promise<void> {
    const folder = posix.dirname(path);
    if (this.#swept.has(folder)) return;
    this.#swept.add(folder);
    const { mtime: now } = await calls.stat(path);
    for (const { filename, attrs } of await calls.namesIn(folder)) {
      if (attrs.isFile() && isUnfinished(filename) && now - attrs.mtime > LEFTOVER_SECONDS)
        await removeOurs(calls, posix.join(folder, filename));
    }
  }

  /** SFTP has no word for a full disk. */
  async #full(calls: SftpCalls, bytes: number, cause: unknown): Promise<unknown> {
    const free = await calls.freeBytes(this.#folder);
    if (free === null || free > bytes) return cause;
    const text = `There is no space left for the repository at ${this.#place}. Free some, then try again; what it held before is untouched.`;
    return new AgentError("store-full", text, { cause });
  }
}

function isUnfinished(name: string): boolean {
  const at = name.indexOf(UNFINISHED);
  return at > 0 && FILE_TYPES.some((type) => isNameOf(type, name.slice(0, at)));
}

/** A leftover of another account is its own to remove, and no reason not to write. */
async function removeOurs(calls: SftpCalls, path: string): Promise<void> {
  try {
    await calls.remove(path);
  } catch (error) {
    if (statusOf(error) !== SFTP_STATUS.denied) throw error;
  }
}
