import { crc32 } from "node:zlib";
import { SMALL_FILE_BYTES } from "../read-file.ts";
import type { WorkerPool } from "../workers/pool.ts";
import type { ZipEntry, ZipWriter } from "../zip-writer.ts";
import type { BatchAnswer, BatchEntry, BatchInput, BatchItem } from "./batch.ts";
import { BLOCK_BYTES, END_OF_STREAM } from "./deflate.ts";
import { dataDescriptor, localHeader, METHOD, streamedAs, type ZipItem } from "./format.ts";
import { OrderedWork } from "./ordered-work.ts";
import { answerReads } from "./read-hook.ts";
import type { OnRead } from "./read-small.ts";
import { Ring, type Stretch } from "./ring.ts";
import type { BlockInput } from "./tasks.ts";

/** What one item takes beside its content, in bytes, for most items: headers and path. */
const ITEM_BYTES = 1024;
/** What a block that cannot be deflated grows by at most, in bytes. */
const BLOCK_EXTRA_BYTES = 1024;
/** Memory for each thread, in bytes: two of the largest small files, one that is packed and one that waits to be written. */
const THREAD_BYTES = 2 * SMALL_FILE_BYTES;

export interface ZipPackerOptions {
  /** Deflate's, 0 to 9. */
  level: number;
  /** For tests. */
  onRead?: OnRead;
}

/** An entry of a batch as `settle` gets it: what was added can be listed in the directory. */
export type SettledEntry = Exclude<BatchEntry, { kind: "added" }> | { kind: "added"; entry: ZipEntry; sha256: string; changed: boolean };

export interface Stream {
  /** Fills memory with what comes next, as far as there is more. Answers how many bytes; none at the end. */
  read(memory: Buffer): Promise<number>;
  /** There are no more bytes than this. */
  sizeMax: number;
  /** Leave it as it is. */
  store: boolean;
}

/**
 * Packs entries in worker threads and writes them in the order in which they were added. `settle` runs when an entry has been written, one at a
 * time and in that order; until it is listed there, no directory names the entry. All content is in one ring of fixed
 * size, and calls wait for room in it. One call at a time.
 */
export class ZipPacker {
  readonly #writer: ZipWriter;
  readonly #pool: WorkerPool;
  readonly #options: ZipPackerOptions;
  readonly #work = new OrderedWork();
  readonly #ring: Ring;

  constructor(writer: ZipWriter, pool: WorkerPool, options: ZipPackerOptions) {
    this.#writer = writer;
    this.#pool = pool;
    this.#options = options;
    this.#ring = new Ring(pool.threads.length * THREAD_BYTES);
  }

  /** Adds small things. `expectedBytes`: the size of the files among them together, as far as known. */
  async batch(items: BatchItem[], expectedBytes: number, settle: (entries: SettledEntry[]) => Promise<void>): Promise<void> {
    const { level, onRead } = this.#options;
    const room = await this.#room(expectedBytes + items.length * ITEM_BYTES);
    const hook = onRead && answerReads(onRead);
    const input: BatchInput = { items, level, output: this.#memory(room), hook: hook?.port };
    const work = this.#pool.run<BatchAnswer>("zip-batch", input, hook === undefined ? [] : [hook.port]);
    const ended = work.finally(() => hook?.close());
    this.#work.add(ended, async ({ packed, entries }) => {
      const offset = this.#writer.offset;
      await this.#write(packed, room);
      this.#ring.giveBack(room);
      await settle(entries.map((entry) => settled(entry, offset)));
    });
  }

  /** Adds a file of any size, piece by piece. */
  async stream(item: ZipItem, { read, sizeMax, store }: Stream, settle: (entry: ZipEntry) => Promise<void>): Promise<void> {
    const streamed = streamedAs(sizeMax);
    const level = store ? 0 : this.#options.level;
    let [offset, packedBytes, size, crc] = [0, 0, 0, 0];
    this.inTurn(async () => {
      offset = this.#writer.offset;
      await this.#writer.append(localHeader(item, streamed));
    });
    for (let ended = false; !ended; ) {
      const room = await this.#room(2 * BLOCK_BYTES + BLOCK_EXTRA_BYTES);
      const bytes = this.#memory(room, 0, BLOCK_BYTES);
      const block = bytes.subarray(0, await read(bytes));
      ended = block.length === 0;
      size += block.length;
      crc = crc32(block, crc);
      const input: BlockInput = { bytes: block, output: this.#memory(room, BLOCK_BYTES), level };
      const work = ended ? Promise.resolve(0) : this.#pool.run<number | Uint8Array>("zip-block", input);
      this.#work.add(work, async (packed) => {
        packedBytes += await this.#write(packed, room, BLOCK_BYTES);
        this.#ring.giveBack(room);
      });
    }
    this.inTurn(async () => {
      const content = { method: METHOD.deflated, crc, size, packed: packedBytes + END_OF_STREAM.length };
      await this.#writer.append(Buffer.concat([END_OF_STREAM, dataDescriptor(content, streamed)]));
      await settle({ item, content, offset, streamed });
    });
  }

  /** Has something run when all that was added before has been written. */
  inTurn(settle: () => Promise<void>): void {
    this.#work.add(Promise.resolve(), settle);
  }

  /** Resolves when all that was added has been written and settled. */
  async drain(): Promise<void> {
    await this.#work.drain();
  }

  /** Room in the ring, made by settling what was begun before. */
  async #room(bytes: number): Promise<Stretch> {
    for (;;) {
      const room = this.#ring.take(bytes);
      if (room !== undefined) return room;
      await this.#work.settleFirst();
    }
  }

  #memory({ from, bytes }: Stretch, start = 0, end = bytes): Buffer {
    return Buffer.from(this.#ring.memory, from + start, end - start);
  }

  /** Writes what a thread has packed into `room` from `start` on, or elsewhere. Answers how many bytes. */
  async #write(packed: number | Uint8Array, room: Stretch, start = 0): Promise<number> {
    const bytes = typeof packed === "number" ? this.#memory(room, start, start + packed) : packed;
    await this.#writer.append(bytes);
    return bytes.length;
  }
}

function settled(entry: BatchEntry, offset: number): SettledEntry {
  if (entry.kind !== "added") return entry;
  const { at, item, content, sha256, changed } = entry;
  return { kind: "added", entry: { item, content, offset: offset + at }, sha256, changed };
}
