import { hash } from "node:crypto";
import type { MessagePort } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { errorCode } from "../error-code.ts";
import { SMALL_FILE_BYTES } from "../read-file.ts";
import type { Task } from "../workers/tasks.ts";
import { deflateInto } from "./deflate.ts";
import { DeflateOutput } from "./deflate-output.ts";
import { localHeader, localHeaderBytes, METHOD, type ZipContent, type ZipItem } from "./format.ts";
import { askToRead } from "./read-hook.ts";
import { type OnRead, readSmall, type SmallRead } from "./read-small.ts";

/** Something small for an archive: `location` is where a file lies, `target` what a link points to. */
export type BatchItem =
  | (ZipItem & { type: "directory" })
  | (ZipItem & { type: "symlink"; target: string })
  | (ZipItem & { type: "file"; location: string; store: boolean /** So many bytes of it, if that is given. */; length?: number });

/** What came of one item. */
export type BatchEntry =
  /** `at`: where its local header begins in what the batch packed. `item` has the time that the file had when it was read. */
  | { kind: "added"; at: number; item: ZipItem; content: ZipContent; sha256: string; changed: boolean }
  /** A file that has grown since it was seen: to be streamed. */
  | { kind: "large" }
  /** The operating system refused, for a reason of the file. `code` is its code. */
  | { kind: "failed"; code: string; message: string };

export interface BatchInput {
  items: BatchItem[];
  /** Deflate's, 0 to 9. */
  level: number;
  /** Memory that threads share. */
  output: Uint8Array;
  /** For tests: see read-hook.ts. */
  hook?: MessagePort;
}

export interface BatchAnswer {
  /** The entries as they stand in the archive, one after the other: see DeflateOutput. */
  packed: number | Uint8Array;
  /** One for each item, in the same order. */
  entries: BatchEntry[];
}

/**
 * The task that reads and packs a batch of small files. Files are read into memory that the thread keeps, so its batches take turns, also
 * while one of them waits to read a file again.
 */
export function createBatchTask(): Task<BatchInput, BatchAnswer> {
  let content: Buffer | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  return (input) => {
    content ??= Buffer.allocUnsafeSlow(SMALL_FILE_BYTES);
    const packer = new BatchPacker(input, content);
    const mine = turn.then(() => packer.pack());
    turn = mine.catch(() => undefined);
    return mine.then((value) => ({ value }));
  };
}

class BatchPacker {
  readonly #input: BatchInput;
  /** For the file that is read. */
  readonly #content: Buffer;
  readonly #output: DeflateOutput;

  constructor(input: BatchInput, content: Buffer) {
    this.#input = input;
    this.#content = content;
    this.#output = new DeflateOutput(input.output);
  }

  async pack(): Promise<BatchAnswer> {
    const { items, hook } = this.#input;
    const onRead = hook && askToRead(hook);
    const entries: BatchEntry[] = [];
    for (const item of items) entries.push(item.type === "file" ? await this.#file(item, onRead) : this.#other(item));
    return { packed: this.#output.answer(), entries };
  }

  async #file({ path, mode, location, store, length }: BatchItem & { type: "file" }, onRead: OnRead | undefined): Promise<BatchEntry> {
    const read = await this.#read(location, length, onRead);
    if (read.kind !== "content") return read;
    const { content, mtime, changed } = read;
    return this.#add({ type: "file", path, mode, mtime }, content, { store, changed });
  }

  /** A failure comes as a value: its code would be lost between threads. One without a code is a mistake of ours, and is thrown. */
  async #read(
    location: string,
    length: number | undefined,
    onRead: OnRead | undefined,
  ): Promise<SmallRead | (BatchEntry & { kind: "failed" })> {
    try {
      return await readSmall(location, this.#content, onRead, length);
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined) throw error;
      return { kind: "failed", code, message: error instanceof Error ? error.message : code };
    }
  }

  #other({ type, path, mtime, mode, ...rest }: BatchItem & { type: "directory" | "symlink" }): BatchEntry {
    const content = "target" in rest ? Buffer.from(rest.target, "utf8") : Buffer.alloc(0);
    return this.#add({ type, path, mtime, mode }, content, { store: true, changed: false });
  }

  #add(item: ZipItem, content: Uint8Array, { store, changed }: { store: boolean; changed: boolean }): BatchEntry {
    const output = this.#output;
    const at = output.reserve(localHeaderBytes(item));
    const start = output.length;
    const deflates = !store && this.#input.level > 0 && content.length > 0;
    if (deflates) deflateInto(output, content, { level: this.#input.level, last: true });
    const helps = deflates && output.length - start < content.length;
    if (!helps) {
      output.rewind(start);
      output.append(content);
    }
    const method = helps ? METHOD.deflated : METHOD.stored;
    const facts: ZipContent = { method, crc: crc32(content), size: content.length, packed: output.length - start };
    output.fill(at, localHeader(item, facts));
    return { kind: "added", at, item, content: facts, sha256: hash("sha256", content), changed };
  }
}
