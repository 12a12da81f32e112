import type { Consistency, TornFile } from "../../schemas/index.ts";
import { TORN_FILES_NAMED_MAX } from "../../schemas/index.ts";
import type { ManifestEntry, ManifestFooter } from "../../schemas/manifest.ts";
import { isCompressible } from "./compressible.ts";
import type { ManifestWriter } from "./manifest.ts";
import type { ProgressMeter } from "./progress.ts";
import { type ReadContext, readSmall, SMALL_FILE_BYTES, streamLarge } from "./read-file.ts";
import type { ArchiveStore } from "./stores/store.ts";
import { type MissingEntry, missing, type WalkEntry, type WalkedServer, walk } from "./walk.ts";
import type { ZipEntryRecord } from "./zip-internals.ts";
import type { ZipWriter } from "./zip-writer.ts";

type FileEntry = WalkEntry & { type: "file" };
type FileLine = ManifestEntry & { type: "file" };

/** A large file whose first copy is not good: it is read again when all else is done. */
interface SecondRead {
  entry: FileEntry;
  record: ZipEntryRecord;
  line: FileLine;
}

export interface ZipRunParts {
  zip: ZipWriter;
  manifest: ManifestWriter;
  meter: ProgressMeter;
  context: ReadContext;
}

/** Paths are told in results up to this length (`tornFile` in schemas/jobs.ts), in characters. */
const PATH_TOLD_MAX = 500;
/** A path in a warning is cut to this length, in characters, and a warning to the other (`backupResult` there). */
const PATH_WARNED_MAX = 100;
const WARNING_MAX = 300;
/** A zip entry keeps the length of its path in 16 bits; a folder's path gets a `/` at its end. */
const PATH_BYTES_MAX = 65_535;

const count = (number: number, one: string, many: string) => `${number} ${number === 1 ? one : many}`;

/** One backup's way through the tree: what went into the archive, and what did not. */
export class ZipRun {
  readonly #parts: ZipRunParts;
  readonly #again: SecondRead[] = [];
  readonly #named: TornFile[] = [];
  readonly #counts = { files: 0, directories: 0, symlinks: 0, missing: 0, torn: 0, sourceBytes: 0 };
  #tornOrGone = 0;
  #special = 0;
  #unreadable = 0;
  #firstUnreadable: string | undefined;

  constructor(parts: ZipRunParts) {
    this.#parts = parts;
  }

  async addAll(server: WalkedServer, store: Pick<ArchiveStore, "folder">): Promise<void> {
    const { signal } = this.#parts.context;
    for await (const entry of walk(server, { store, signal })) {
      signal.throwIfAborted();
      await this.#add(entry);
    }
    for (const second of this.#again) {
      signal.throwIfAborted();
      await this.#readAgain(second);
    }
  }

  isEmpty(): boolean {
    return this.#counts.files + this.#counts.symlinks === 0;
  }

  consistency(): Consistency {
    return this.#tornOrGone === 0 ? "stable" : "torn";
  }

  get files(): number {
    return this.#counts.files;
  }

  get sourceBytes(): number {
    return this.#counts.sourceBytes;
  }

  /** Files that are torn, vanished or unreadable: the first few by name, and how many in all. */
  get torn(): { named: TornFile[]; count: number } {
    return { named: this.#named, count: this.#tornOrGone };
  }

  /** What people should know although the backup succeeded, in words. */
  warnings(): string[] {
    const warnings: string[] = [];
    if (this.#unreadable > 0) {
      warnings.push(
        `${count(this.#unreadable, "file or folder", "files or folders")} could not be read and so not be backed up; the first: ${this.#firstUnreadable}.`,
      );
    }
    if (this.#special > 0) {
      warnings.push(
        `${count(this.#special, "special file", "special files")} (sockets, FIFOs, devices) left out: they have no content to keep.`,
      );
    }
    return warnings.map((text) => text.slice(0, WARNING_MAX));
  }

  footer(archive: { bytes: number; sha256: string }, durationMs: number): ManifestFooter {
    const counts = { ...this.#counts, archiveBytes: archive.bytes, sha256: archive.sha256, durationMs };
    return { type: "footer", consistency: this.consistency(), ...counts };
  }

  async #add(entry: WalkEntry): Promise<void> {
    const { zip, manifest } = this.#parts;
    if (entry.type === "missing") return this.#recordMissing(entry);
    const { path, mtime, mode } = entry;
    if (Buffer.byteLength(path) >= PATH_BYTES_MAX) {
      return this.#recordMissing({ type: "missing", path, reason: "unreadable", detail: "its path is too long for a zip archive" });
    }
    if (entry.type === "file") return this.#addFile(entry);
    if (entry.type === "directory") {
      await zip.directory(entry);
      this.#counts.directories += 1;
      return manifest.write({ type: "directory", path, mtime, mode });
    }
    await zip.symlink(entry, entry.target);
    this.#counts.symlinks += 1;
    return manifest.write({ type: "symlink", path, target: entry.target, mtime, mode });
  }

  async #addFile(entry: FileEntry): Promise<void> {
    const { zip, context } = this.#parts;
    if (entry.bytes > SMALL_FILE_BYTES) return this.#addLarge(entry);
    const read = await this.#attempt(entry.path, () => readSmall(entry.location, context));
    if ("type" in read) return this.#recordMissing(read);
    if (read.kind === "large") return this.#addLarge(entry);
    const { path, mode } = entry;
    const mtime = Number(read.stats.mtimeMs);
    await zip.file({ path, mode, mtime }, read.content, { store: !isCompressible(path) });
    const torn = read.changed ? ("changed" as const) : undefined;
    await this.#recordFile({ type: "file", path, bytes: read.content.length, mtime, mode, sha256: read.sha256, torn });
  }

  async #addLarge(entry: FileEntry): Promise<void> {
    const copy = await this.#stream(entry);
    if ("type" in copy) return this.#recordMissing(copy);
    if (copy.line.torn === undefined) return this.#recordFile(copy.line);
    // The game is more likely quiet when the rest of the tree is done.
    this.#again.push({ entry, ...copy });
    this.#parts.meter.addTotal(copy.line.bytes);
  }

  async #readAgain({ entry, record, line }: SecondRead): Promise<void> {
    const { zip } = this.#parts;
    const copy = await this.#stream(entry);
    if ("type" in copy) {
      // The first copy is all there is.
      return this.#recordFile({ ...line, torn: copy.reason === "vanished" ? "vanished" : "unreadable" });
    }
    const worse = copy.line.torn === "unreadable" && line.torn !== "unreadable";
    zip.drop(worse ? copy.record : record);
    await this.#recordFile(worse ? line : copy.line);
  }

  async #stream({ path, location, mode }: FileEntry): Promise<{ record: ZipEntryRecord; line: FileLine } | MissingEntry> {
    const { zip, context } = this.#parts;
    const file = await this.#attempt(path, () => streamLarge(location, context));
    if ("type" in file) return file;
    const mtime = Number(file.stats.mtimeMs);
    try {
      const record = await zip.file({ path, mode, mtime }, file.pieces, { store: !isCompressible(path) });
      const { bytes, sha256, torn } = file.outcome();
      return { record, line: { type: "file", path, bytes, mtime, mode, sha256, torn } };
    } finally {
      await file.close();
    }
  }

  /** Tries to open or read something. What is wrong with the file is an answer; anything else is thrown. */
  async #attempt<T>(path: string, work: () => Promise<T>): Promise<T | MissingEntry> {
    try {
      return await work();
    } catch (error) {
      if (this.#parts.context.signal.aborted) throw error;
      return missing(path, error);
    }
  }

  async #recordFile(line: FileLine): Promise<void> {
    const { manifest, meter } = this.#parts;
    this.#counts.files += 1;
    this.#counts.sourceBytes += line.bytes;
    if (line.torn !== undefined) {
      this.#counts.torn += 1;
      this.#nameTorn(line.path, line.torn);
    }
    meter.addFile();
    await manifest.write(line);
  }

  async #recordMissing(entry: MissingEntry): Promise<void> {
    this.#counts.missing += 1;
    if (entry.reason === "special") this.#special += 1;
    else this.#nameTorn(entry.path, entry.reason);
    if (entry.reason === "unreadable") {
      this.#unreadable += 1;
      this.#firstUnreadable ??= `${entry.path.slice(0, PATH_WARNED_MAX)} (${entry.detail ?? "no reason known"})`;
    }
    await this.#parts.manifest.write(entry);
  }

  #nameTorn(path: string, reason: TornFile["reason"]): void {
    this.#tornOrGone += 1;
    if (this.#named.length < TORN_FILES_NAMED_MAX) this.#named.push({ path: path.slice(0, PATH_TOLD_MAX), reason });
  }
}
