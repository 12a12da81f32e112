import { type FileHandle, link, lstat, open, rename, rm } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { MANIFEST_SUFFIX } from "../../../schemas/manifest.ts";
import { AgentError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { errorCode } from "../error-code.ts";
import { PARTIAL_SUFFIX } from "../names.ts";
import { fileBody, storeError } from "./file-body.ts";
import type { ArchiveWriter } from "./store.ts";

export interface LocalWriterParts {
  folder: string;
  /** The final path. */
  path: string;
  /** The partial file, open for writing. */
  file: FileHandle;
  log: Logger;
  signal: AbortSignal;
  /** Nothing of it is left. */
  onRemoved: () => void;
  /** `fs.link` when absent. */
  link?: (existing: string, added: string) => Promise<void>;
}

/** File systems that know no hard links say so with one of these. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL", "EISDIR"]);

/** One archive on its way into a folder. */
export class LocalWriter implements ArchiveWriter {
  readonly body: Writable;
  readonly #parts: LocalWriterParts;
  /** What is to be removed when this archive is given up. */
  readonly #mine: Set<string>;
  #committed = false;

  constructor(parts: LocalWriterParts) {
    this.#parts = parts;
    this.body = fileBody(parts.file, parts.folder);
    this.#mine = new Set([parts.path + PARTIAL_SUFFIX]);
  }

  /** First the manifest becomes durable, under its final name; then the archive, which is when the backup exists. */
  async commit(archive: { bytes: number; sha256: string }, manifest: Readable): Promise<{ place: string }> {
    const { folder, path, file, signal } = this.#parts;
    try {
      await this.#close(file, archive.bytes);
      await this.#writeManifest(manifest);
      signal.throwIfAborted();
      await this.#place(path + MANIFEST_SUFFIX);
      await this.#place(path);
    } catch (error) {
      manifest.destroy();
      signal.throwIfAborted();
      throw storeError(error, folder);
    }
    this.#committed = true;
    return { place: path };
  }

  async abort(): Promise<void> {
    if (this.#committed) return;
    const { file, log, onRemoved } = this.#parts;
    this.body.destroy();
    try {
      if (!this.body.closed) await finished(this.body).catch(() => undefined);
      await file.close();
      for (const path of this.#mine) await rm(path, { force: true });
      onRemoved();
    } catch (error) {
      log.warn({ files: [...this.#mine], err: error }, "an unfinished backup could not be removed; the next backup tries again");
    }
  }

  async #close(file: FileHandle, bytes: number): Promise<void> {
    await finished(this.body);
    const { size } = await file.stat();
    if (size !== bytes) {
      const text = `The archive ${this.#parts.path} has ${size} bytes on disk and should have ${bytes}. Check the disk, then try again.`;
      throw new AgentError("archive-incomplete", text);
    }
    await file.sync();
    await file.close();
  }

  async #writeManifest(manifest: Readable): Promise<void> {
    const { folder, path, signal } = this.#parts;
    const partial = path + MANIFEST_SUFFIX + PARTIAL_SUFFIX;
    const file = await open(partial, "wx", 0o600);
    this.#mine.add(partial);
    try {
      await pipeline(manifest, fileBody(file, folder), { signal });
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Gives a finished file its final name, durably, and never over another file. */
  async #place(path: string): Promise<void> {
    const partial = path + PARTIAL_SUFFIX;
    const linked = await this.#linked(partial, path);
    if (!linked) {
      if (await exists(path)) throw taken(path);
      await rename(partial, path);
    }
    this.#mine.add(path);
    // Both names are one file by now, so a leftover is harmless; `cleanUp` removes it.
    await rm(partial, { force: true }).catch((error: unknown) => this.#parts.log.warn({ file: partial, err: error }, "leftover stays"));
    this.#mine.delete(partial);
    await syncFolder(this.#parts.folder);
  }

  /** Gives the file a second name, which refuses where a rename would silently replace. False where links are not known. */
  async #linked(partial: string, path: string): Promise<boolean> {
    try {
      await (this.#parts.link ?? link)(partial, path);
      return true;
    } catch (error) {
      const code = errorCode(error) ?? "";
      if (code === "EEXIST") throw taken(path, error);
      if (NO_LINKS.has(code)) return false;
      throw error;
    }
  }
}

function taken(path: string, cause?: unknown): AgentError {
  const text = `Somebody else put a file at ${path} while the backup ran. It was not touched, and the backup was given up. Try again.`;
  return new AgentError("archive-taken", text, { cause });
}

/** Windows has no way to sync a folder: NTFS journals its names by itself. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems know no fsync of a folder.
    if (errorCode(error) !== "EINVAL" && errorCode(error) !== "ENOTSUP") throw error;
  } finally {
    await handle.close();
  }
}

/** Whether anything has this name, a dangling link too. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
