import type { ManifestEntry } from "../../schemas/manifest.ts";
import { isCompressible } from "./compressible.ts";
import type { FileLengths } from "./lengths.ts";
import type { ManifestWriter } from "./manifest.ts";
import type { ProgressMeter } from "./progress.ts";
import { type ReadContext, SMALL_FILE_BYTES, streamLarge } from "./read-file.ts";
import type { ArchiveStore } from "./stores/store.ts";
import { type MissingEntry, missing, type WalkEntry, type WalkedServer, walk } from "./walk.ts";
import type { BatchItem } from "./zip/batch.ts";
import { PATH_BYTES_MAX } from "./zip/format.ts";
import type { SettledEntry, ZipPacker } from "./zip/packer.ts";
import { ZipTally } from "./zip-tally.ts";
import type { ZipEntry, ZipWriter } from "./zip-writer.ts";

type PackedEntry = Exclude<WalkEntry, MissingEntry>;
type FileEntry = WalkEntry & { type: "file" };
type FileLine = ManifestEntry & { type: "file" };

/** A copy of a large file in the archive that no directory names yet. */
interface Copy {
  entry: ZipEntry;
  line: FileLine;
}

export interface ZipRunParts {
  zip: ZipWriter;
  packer: ZipPacker;
  manifest: ManifestWriter;
  meter: ProgressMeter;
  context: ReadContext;
}

/** Small things go to a worker thread in batches: up to so many, and up to so many bytes with the last one. */
const BATCH_ITEMS = 128;
const BATCH_BYTES = 1024 * 1024;

/** One backup's way through the tree: what goes into the archive, and what does not. */
export class ZipRun {
  readonly tally = new ZipTally();
  readonly #parts: ZipRunParts;
  #batch: WalkEntry[] = [];
  #batchBytes = 0;
  /** Files that were small when they were seen. */
  readonly #grown: FileEntry[] = [];
  /** Large files whose first copy is not good. */
  readonly #torn: { entry: FileEntry; first: Copy }[] = [];

  constructor(parts: ZipRunParts) {
    this.#parts = parts;
  }

  async addAll(server: WalkedServer, store: Pick<ArchiveStore, "folder">, lengths?: FileLengths): Promise<void> {
    const { packer, context } = this.#parts;
    for await (const entry of walk(server, { store, signal: context.signal, lengths })) await this.#add(entry);
    await this.#sendBatch();
    await packer.drain();
    for (const entry of this.#grown) await this.#addLarge(entry);
    await packer.drain();
    for (const { entry, first } of this.#torn) await this.#readAgain(entry, first);
    await packer.drain();
  }

  async #add(entry: WalkEntry): Promise<void> {
    this.#parts.context.signal.throwIfAborted();
    if (entry.type === "file" && entry.bytes > SMALL_FILE_BYTES && fits(entry.path)) {
      // What comes before it goes before it.
      await this.#sendBatch();
      return this.#addLarge(entry);
    }
    this.#batch.push(entry);
    this.#batchBytes += entry.type === "file" ? entry.bytes : 0;
    if (this.#batch.length >= BATCH_ITEMS || this.#batchBytes >= BATCH_BYTES) await this.#sendBatch();
  }

  async #sendBatch(): Promise<void> {
    const [entries, bytes] = [this.#batch, this.#batchBytes];
    if (entries.length === 0) return;
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#parts.packer.batch(entries.flatMap(itemsOf), bytes, async (settled) => {
      let next = 0;
      for (const entry of entries) {
        if (entry.type === "missing") await this.#record(entry);
        else if (!fits(entry.path)) await this.#record(tooLong(entry.path));
        else await this.#settle(entry, settled[next++]);
      }
    });
  }

  async #settle(entry: PackedEntry, settled: SettledEntry | undefined): Promise<void> {
    if (settled === undefined) throw new Error(`the batch has no answer for ${entry.path}`);
    if (settled.kind === "failed") return this.#record(missing(entry.path, Object.assign(new Error(settled.message), settled)));
    if (settled.kind === "large") {
      if (entry.type === "file") this.#grown.push(entry);
      return;
    }
    await this.#parts.zip.list(settled.entry);
    const { path, mode, mtime } = settled.entry.item;
    if (entry.type === "directory") return this.#record({ type: "directory", path, mtime, mode });
    if (entry.type === "symlink") return this.#record({ type: "symlink", path, target: entry.target, mtime, mode });
    const { size } = settled.entry.content;
    const torn = settled.changed ? ("changed" as const) : undefined;
    this.#parts.meter.addBytes(size);
    await this.#record({ type: "file", path, bytes: size, mtime, mode, sha256: settled.sha256, torn });
  }

  async #addLarge(entry: FileEntry): Promise<void> {
    const gone = await this.#stream(entry, async (copy) => {
      if (copy.line.torn === undefined) return this.#keep(copy);
      // The game is more likely quiet when the rest of the tree is done.
      this.#torn.push({ entry, first: copy });
      this.#parts.meter.addTotal(copy.line.bytes);
    });
    if (gone !== undefined) this.#parts.packer.inTurn(() => this.#record(gone));
  }

  async #readAgain(entry: FileEntry, first: Copy): Promise<void> {
    const gone = await this.#stream(entry, async (copy) => {
      const worse = copy.line.torn === "unreadable" && first.line.torn !== "unreadable";
      await this.#keep(worse ? first : copy);
    });
    if (gone === undefined) return;
    // The first copy is all there is.
    const torn = gone.reason === "vanished" ? ("vanished" as const) : ("unreadable" as const);
    this.#parts.packer.inTurn(() => this.#keep({ ...first, line: { ...first.line, torn } }));
  }

  /** Decides that this copy of a file is the one that counts. */
  async #keep({ entry, line }: Copy): Promise<void> {
    await this.#parts.zip.list(entry);
    await this.#record(line);
  }

  /** Streams a file into the archive; `settle` gets the copy when all of it is there. Answers what is wrong when it cannot be opened. */
  async #stream({ path, location, mode, length }: FileEntry, settle: (copy: Copy) => Promise<void>): Promise<MissingEntry | undefined> {
    const { packer, context } = this.#parts;
    context.signal.throwIfAborted();
    const file = await this.#attempt(path, () => streamLarge(location, context, length));
    if ("type" in file) return file;
    const mtime = Number(file.stats.mtimeMs);
    const stream = { read: (memory: Buffer) => file.read(memory), sizeMax: Number(file.stats.size), store: !isCompressible(path) };
    try {
      await packer.stream({ type: "file", path, mode, mtime }, stream, async (entry) => {
        const { bytes, sha256, torn } = file.outcome();
        await settle({ entry, line: { type: "file", path, bytes, mtime, mode, sha256, torn } });
      });
    } finally {
      await file.close();
    }
  }

  /** Tries to open something. What is wrong with the file is an answer; anything else is thrown. */
  async #attempt<T>(path: string, work: () => Promise<T>): Promise<T | MissingEntry> {
    try {
      return await work();
    } catch (error) {
      if (this.#parts.context.signal.aborted) throw error;
      return missing(path, error);
    }
  }

  async #record(line: ManifestEntry): Promise<void> {
    const { manifest, meter } = this.#parts;
    this.tally.add(line);
    if (line.type === "file") meter.addFile();
    await manifest.write(line);
  }
}

function itemsOf(entry: WalkEntry): BatchItem[] {
  if (entry.type === "missing" || !fits(entry.path)) return [];
  const { path, mtime, mode } = entry;
  if (entry.type === "directory") return [{ type: "directory", path, mtime, mode }];
  if (entry.type === "symlink") return [{ type: "symlink", path, mtime, mode, target: entry.target }];
  const { location, length } = entry;
  return [{ type: "file", path, mtime, mode, location, store: !isCompressible(path), ...(length !== undefined && { length }) }];
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= PATH_BYTES_MAX;
}

function tooLong(path: string): MissingEntry {
  return { type: "missing", path, reason: "unreadable", detail: "its path is too long for a zip archive" };
}
