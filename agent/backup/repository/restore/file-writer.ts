import { closeSync, ftruncateSync, rmSync } from "node:fs";
import { errorCode } from "../../error-code.ts";
import type { WorkerPool } from "../../workers/pool.ts";
import { readAvailable } from "../pack-range.ts";
import type { Repository } from "../repository.ts";
import { batchFile, batchInput, type Posted } from "./batch-input.ts";
import { finishFile } from "./finish-file.ts";
import type { FsPath } from "./names.ts";
import { createFile, openForWriting } from "./open-files.ts";
import type { RestoreProblems } from "./problems.ts";
import { batchOf, FAR_BATCH_MAX_BYTES, type PlannedBatch, type PlannedBlob, plainLength } from "./round.ts";
import { isFull, ranFull } from "./space.ts";
import { type BatchInput, type BatchOutcome, failureOf, RESTORE_BATCH } from "./tasks.ts";
import type { FileWork } from "./work.ts";

export interface FileWriterOptions {
  repository: Repository;
  pool: WorkerPool;
  target: string;
  overwrite: boolean;
  problems: RestoreProblems;
  signal: AbortSignal;
  /** A file ended: `place` is where it is now, or null when nothing of it is there. */
  onDone: (file: FileWork, place: FsPath | null) => void;
  onBytes: (bytes: number) => void;
}

/** Fills files with blobs, by the worker threads, and keeps account of what each file still waits for. */
export class FileWriter {
  readonly #options: FileWriterOptions;
  /**
   * Memory of parts that are written. It is shared with the threads: moved to them, it would count as garbage of each thread in turn, and V8 would collect
   * for every part. There is never more of it than parts are read and written at the same time.
   */
  readonly #spares: Uint8Array[] = [];

  constructor(options: FileWriterOptions) {
    this.#options = options;
  }

  /** Makes files that wait for no blob: empty ones, and those of which nothing is left. */
  async writeEmpty(files: readonly FileWork[]): Promise<void> {
    const whole = files.filter(({ damaged }) => !damaged);
    const input = {
      master: this.#options.repository.master,
      pack: "",
      blobs: [],
      files: whole.map((file) => batchFile(file, 0, () => this.#options.overwrite)),
    };
    await this.#post({ input, files: whole }, { bytes: Buffer.alloc(0) });
    for (const file of files) if (file.damaged && this.#make(file)) this.#settle(file);
  }

  /** Reads a part of a pack and writes its blobs. Those that are not whole are looked for in other packs. */
  async write(batch: PlannedBatch, tried: ReadonlySet<number> = new Set()): Promise<void> {
    const { repository, overwrite, signal } = this.#options;
    signal.throwIfAborted();
    const { pack, offset, length } = batch;
    const read = (memory?: Uint8Array) => readAvailable(repository.store, pack, offset, length, signal, memory);
    const file = repository.store.fileOf?.("data", pack);
    const memory = file === undefined ? this.#takeMemory(length) : undefined;
    const part = file === undefined ? { bytes: await read(memory) } : { file, offset, length };
    // Before any thread sees them, so that each file is whole in one batch or made for all.
    const posted = batchInput(repository.master, batch, (_, writes) => overwrite || writes > 1);
    for (const [n, file] of posted.files.entries()) if (posted.input.files[n]?.whole === false) this.#make(file);
    const damaged = await this.#post(posted, part, read);
    if (memory !== undefined) this.#spares.push(memory);
    for (const n of damaged) await this.#elsewhere(batch.blobs[n] as PlannedBlob, tried);
  }

  /** Memory for a part; none for one that is larger than parts of many blobs are. */
  #takeMemory(length: number): Uint8Array | undefined {
    if (length > FAR_BATCH_MAX_BYTES) return undefined;
    return this.#spares.pop() ?? new Uint8Array(new SharedArrayBuffer(FAR_BATCH_MAX_BYTES));
  }

  /** Files whose folder could not be made: the folder is told already. */
  leaveOut(files: readonly FileWork[]): void {
    for (const file of files) this.#end(file, null);
  }

  /** Removes what is written under a name for the time being. */
  abandon(files: readonly FileWork[]): void {
    for (const file of files) if (file.made && !file.done) rmSync(file.partial, { force: true });
  }

  /** Answers the numbers of the blobs that are not whole. */
  async #post({ input, files }: Posted, part: BatchInput["part"], read?: () => Promise<Buffer>): Promise<number[]> {
    const { unread, damaged, failed, notes } = await this.#send(input, part);
    if (unread === true && read !== undefined) return this.#post({ input, files }, { bytes: await read() });
    const { problems, target } = this.#options;
    for (const { file: n, message } of notes) problems.add((files[n] as FileWork).path, "metadata", message);
    for (const { file: n, code, message } of failed) {
      if (isFull(code)) throw ranFull(target, new Error(message));
      this.#giveUp(files[n] as FileWork, message);
    }
    const lost = new Set(damaged);
    const bad = new Set(damaged.flatMap((n) => (input.blobs[n]?.writes ?? []).map(({ file }) => file)));
    for (const [n, file] of files.entries()) {
      if (file.done) continue;
      const posted = input.files[n];
      if (posted?.whole === true && !bad.has(n)) this.#end(file, file.location);
      // The thread has left it unfinished: it waits for blobs from elsewhere.
      else if (posted?.whole === true) this.#make(file);
    }
    for (const [n, { length, uncompressedLength, writes }] of input.blobs.entries()) {
      if (lost.has(n)) continue;
      this.#options.onBytes(plainLength({ pack: input.pack, offset: 0, length, uncompressedLength }) * writes.length);
      for (const { file } of writes) this.#written(files[file] as FileWork);
    }
    return damaged;
  }

  #send(input: Posted["input"], part: BatchInput["part"]): Promise<BatchOutcome> {
    const { pool } = this.#options;
    if (!("bytes" in part)) return pool.run<BatchOutcome>(RESTORE_BATCH, { ...input, part });
    const { bytes } = part;
    if (bytes.buffer instanceof SharedArrayBuffer) return pool.run<BatchOutcome>(RESTORE_BATCH, { ...input, part });
    const own = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
    return pool.run<BatchOutcome>(RESTORE_BATCH, { ...input, part: { bytes: own } }, [own.buffer as ArrayBuffer]);
  }

  async #elsewhere({ id, entry, writes }: PlannedBlob, before: ReadonlySet<number>): Promise<void> {
    const { index } = this.#options.repository;
    const tried = new Set([...before, entry]);
    const other = index.entriesOf(id, "data").find((one) => !tried.has(one));
    const waiting = writes.filter(({ file }) => !file.done);
    if (other !== undefined) {
      await this.write(batchOf({ id, entry: other, location: index.locationOf(other), writes: waiting }), tried);
      return;
    }
    for (const { file } of waiting) {
      file.damaged = true;
      this.#written(file);
    }
  }

  /** One write to a file is done, or given up. */
  #written(file: FileWork): void {
    if (file.done) return;
    file.left -= 1;
    if (file.left === 0) this.#settle(file);
  }

  /** Gives a file that has all it can get its meta and its name. */
  #settle(file: FileWork): void {
    const { problems, target } = this.#options;
    const { damaged, meta } = file;
    // Here: in a thread it would wait for the parts of packs that the thread has to write yet.
    const outcome = finishFile({ path: file.partial, final: file.location, damaged, meta });
    if ("failed" in outcome) {
      if (isFull(outcome.failed.code)) throw ranFull(target, new Error(outcome.failed.message));
      this.#giveUp(file, outcome.failed.message);
      return;
    }
    const { path: place, note } = outcome;
    if (note !== null) problems.add(file.path, "metadata", note);
    if (damaged)
      problems.add(file.path, "damaged", `parts of its content are lost; what is left is in ${Buffer.from(place as string).toString()}`);
    this.#end(file, place);
  }

  /** Makes a file that several batches fill. False when it cannot be made. */
  #make(file: FileWork): boolean {
    if (file.made || file.done) return file.made;
    try {
      const fd = this.#createOrTakeOver(file.partial);
      try {
        ftruncateSync(fd, file.size);
      } finally {
        closeSync(fd);
      }
      file.made = true;
    } catch (error) {
      const { code, message } = failureOf(0, error);
      if (isFull(code)) throw ranFull(this.#options.target, error);
      this.#giveUp(file, message);
    }
    return file.made;
  }

  /** The thread that met a damaged blob has made it already: the name is of this run. */
  #createOrTakeOver(partial: FsPath): number {
    try {
      return createFile(partial);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
      return openForWriting(partial);
    }
  }

  #giveUp(file: FileWork, why: string): void {
    if (file.done) return;
    this.#options.problems.add(file.path, "unwritable", why);
    if (file.made) rmSync(file.partial, { force: true });
    this.#end(file, null);
  }

  #end(file: FileWork, place: FsPath | null): void {
    file.done = true;
    this.#options.onDone(file, place);
  }
}
