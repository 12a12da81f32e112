import { closeSync, ftruncateSync, openSync, readSync, renameSync, unlinkSync } from "node:fs";
import { errorCode } from "../../error-code.ts";
import type { TaskAnswer, TaskTable } from "../../workers/tasks.ts";
import type { Cipher, MasterKey } from "../format/cipher.ts";
import { CorruptError } from "../format/corrupt.ts";
import type { Id } from "../format/ids.ts";
import { freeMemory } from "../free-memory.ts";
import { openBlob } from "../open-blob.ts";
import { threadCipher } from "../thread-cipher.ts";
import { applyMeta, type FileMeta } from "./file-meta.ts";
import { HOLE_MIN_BYTES, piecesOf, writePieces } from "./holes.ts";
import type { FsPath } from "./names.ts";
import { createFile, OpenFiles, openForWriting } from "./open-files.ts";

export const RESTORE_BATCH = "restore-batch";

/** A file of a batch. */
export interface BatchFile {
  /** Where it is written. */
  path: FsPath;
  /** Its own place, when it is written aside. */
  final?: FsPath;
  /** All of its blobs are in this batch: it is made, filled and finished here. Otherwise it is there, as long as it will be. */
  whole: boolean;
  /** How many writes of this batch go to it. */
  writes: number;
  /** Bytes of its content. */
  size: number;
  meta: FileMeta;
}

export interface BatchBlob {
  id: Id;
  /** In the bytes of the batch. */
  offset: number;
  length: number;
  uncompressedLength?: number;
  /** Where it goes: number of a file of the batch, and offset in that file. */
  writes: { file: number; at: number }[];
}

export interface BatchInput {
  master: MasterKey;
  pack: Id;
  /** Part of the pack. `bytes` may be cut short when the pack is; `file`: the thread reads them itself. */
  part: { bytes: Uint8Array } | { file: string; offset: number; length: number };
  blobs: BatchBlob[];
  files: BatchFile[];
}

/** An error of the operating system with one file. */
export interface FileFailure {
  file: number;
  code: string;
  message: string;
}

export interface BatchOutcome {
  /** The thread could not read the part as it was told. Nothing was written. */
  unread?: true;
  /** Numbers of the blobs that are not whole here. */
  damaged: number[];
  /** Files that could not be written: nothing is left of those that were made here. */
  failed: FileFailure[];
  /** Files that are written, but without all of their owner, mode and times. */
  notes: { file: number; message: string }[];
}

/** Tasks of the worker threads: blobs of a pack are opened and written to where they belong. */
export const restoreTasks: TaskTable = {
  [RESTORE_BATCH]: (input: BatchInput): TaskAnswer<BatchOutcome> => ({ value: runBatch(input) }),
};

/** How far a file of a batch is. */
interface FileState {
  /** Writes to come. */
  left: number;
  /** Made by this batch. */
  made: boolean;
  damaged: boolean;
  failed: boolean;
}

/** A larger part is left to others, so that a thread does not keep so much memory. In bytes. */
const PART_BYTES_MAX = 16 * 1024 * 1024;

function runBatch(input: BatchInput): BatchOutcome {
  const cipher = threadCipher(input.master);
  const bytes = "bytes" in input.part ? input.part.bytes : readPart(cipher, input.part);
  if (bytes === null) return { unread: true, damaged: [], failed: [], notes: [] };
  return new Batch(input, cipher, bytes).run();
}

/** Null when it cannot be read, or not all of it: others find out why. */
function readPart(cipher: Cipher, { file, offset, length }: { file: string; offset: number; length: number }): Buffer | null {
  if (length > PART_BYTES_MAX) return null;
  const bytes = cipher.buffer(length);
  try {
    const fd = openSync(file, "r");
    try {
      for (let done = 0; done < length; ) {
        const read = readSync(fd, bytes, done, length - done, offset + done);
        if (read === 0) return null;
        done += read;
      }
    } finally {
      closeSync(fd);
    }
    return bytes;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return null;
  }
}

class Batch {
  readonly #input: BatchInput;
  readonly #bytes: Uint8Array;
  readonly #cipher: Cipher;
  readonly #open = new OpenFiles();
  readonly #states: FileState[];
  readonly #outcome: BatchOutcome = { damaged: [], failed: [], notes: [] };

  constructor(input: BatchInput, cipher: Cipher, bytes: Uint8Array) {
    this.#input = input;
    this.#cipher = cipher;
    this.#bytes = bytes;
    this.#states = input.files.map(({ writes }) => ({ left: writes, made: false, damaged: false, failed: false }));
  }

  run(): BatchOutcome {
    const { blobs, files } = this.#input;
    try {
      for (const [n, { writes }] of files.entries()) if (writes === 0) this.#guarded(n, () => this.#complete(n));
      for (const [n, blob] of blobs.entries()) this.#blob(n, blob);
    } finally {
      this.#open.closeAll();
      if ("bytes" in this.#input.part) freeMemory(this.#bytes);
    }
    return this.#outcome;
  }

  #blob(n: number, blob: BatchBlob): void {
    const plain = this.#plainOf(blob);
    if (plain === null) {
      this.#outcome.damaged.push(n);
      for (const { file } of blob.writes) this.#state(file).damaged = true;
    }
    for (const { file, at } of blob.writes) {
      this.#guarded(file, () => {
        const state = this.#state(file);
        if (plain !== null) writePieces(this.#fd(file), plain, piecesOf(plain, at), at);
        state.left -= 1;
        if (state.left === 0) this.#complete(file);
      });
    }
    if (plain !== null) freeMemory(plain);
  }

  #plainOf({ id, offset, length, uncompressedLength }: BatchBlob): Buffer | null {
    const { pack } = this.#input;
    try {
      return openBlob(
        this.#cipher,
        this.#bytes.subarray(offset, offset + length),
        { id, type: "data", uncompressedLength },
        `pack ${pack}`,
      );
    } catch (error) {
      if (error instanceof CorruptError) return null;
      throw error;
    }
  }

  #fd(n: number): number {
    const { path, whole } = this.#file(n);
    const state = this.#state(n);
    return this.#open.get(n, () => {
      if (!whole || state.made) return openForWriting(path);
      const fd = createFile(path);
      state.made = true;
      return fd;
    });
  }

  /** All writes of this batch to a file are done. */
  #complete(n: number): void {
    const { whole, path, final, size, meta } = this.#file(n);
    const state = this.#state(n);
    // Not whole, or not to be finished here: its descriptor is closed with the others.
    if (!whole || state.damaged) return;
    const fd = this.#fd(n);
    // Its last bytes may be a hole.
    if (size >= HOLE_MIN_BYTES) ftruncateSync(fd, size);
    const note = applyMeta(fd, meta);
    this.#open.take(n);
    closeSync(fd);
    if (final !== undefined) renameSync(path, final);
    if (note !== null) this.#outcome.notes.push({ file: n, message: note });
  }

  /** An error of the operating system ends the work on its file only. */
  #guarded(n: number, work: () => void): void {
    const state = this.#state(n);
    if (state.failed) return;
    try {
      work();
    } catch (error) {
      const failure = failureOf(n, error);
      state.failed = true;
      const fd = this.#open.take(n);
      if (fd !== undefined) closeSync(fd);
      if (state.made) unlinkSync(this.#file(n).path);
      this.#outcome.failed.push(failure);
    }
  }

  #file(n: number): BatchFile {
    return this.#input.files[n] as BatchFile;
  }

  #state(n: number): FileState {
    return this.#states[n] as FileState;
  }
}

/** @throws what is not an error of the operating system */
export function failureOf(file: number, error: unknown): FileFailure {
  if (error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error) {
    return { file, code: error.code, message: error.message };
  }
  throw error;
}
