import { hash } from "node:crypto";
import { constants, setPriority } from "node:os";
import { errorCode } from "../../error-code.ts";
import { Cipher } from "../format/cipher.ts";
import { ID_BYTES } from "../format/ids.ts";
import { type FinishedPack, PACK_BYTES, PACK_MEMORY_BYTES, PackBuilder, type PackedBlob } from "../format/pack.ts";
import { CHUNK_MAX, Chunker } from "../kernels/chunker.ts";
import { chunking } from "./chunking.ts";
import { hasLog, isDatabase, mayBeInUse } from "./database.ts";
import { type BlockingClock, blockingClock, OpenFile } from "./file-reader.ts";
import { STATS_BYTES, statsRecord } from "./listing.ts";
import type { FileAnswer, FileRequest, ReadAnswer, Reading, Setup, StepAnswer, StepInput } from "./protocol.ts";

/** Room for what is read at once, in bytes: a piece that has not come to its end may take CHUNK_MAX of it. */
const WINDOW_BYTES = CHUNK_MAX + 4 * 1024 * 1024;
/**
 * When a piece of a file shrinks to no less than this share, the next one is compressed quickly: region files of Minecraft become as small in two thirds of
 * the time. What shrinks further would not: databases (0.61) become 7 % larger.
 */
const QUICK_SHARE = 0.7;
/** Share of its time that a thread of low priority works. */
const LOW_PRIORITY_SHARE = 0.5;
/** It rests no longer than this at once, so that it can be stopped. In milliseconds. */
const REST_MAX_MS = 500;

interface Piece {
  id: Buffer;
  start: number;
  end: number;
}

/** The work of one thread: reads, cuts, hashes, compresses, seals. It knows nothing of what the repository holds. */
export class Session {
  readonly #cipher: Cipher;
  readonly #chunker: Chunker;
  readonly #setup: Setup;
  readonly #clock: BlockingClock;
  readonly #zeros: { bytes: Buffer; id: Buffer };
  #window: Buffer;
  /** What was read last. */
  #pieces: Piece[] = [];
  /** Which of these are to be stored, a byte for each, and how many of them are done with. */
  #store: Uint8Array | undefined;
  #stored = 0;
  #large: { file: OpenFile; request: FileRequest; database: boolean } | null = null;
  #pack: PackBuilder | null = null;
  /** What was read last is of one file. */
  #ofOneFile = false;
  /** The piece of it before did not become much smaller. */
  #quick = false;
  /** Memory for the next pack. */
  #spare: SharedArrayBuffer | undefined;

  constructor(setup: Setup, clock: BlockingClock = blockingClock) {
    this.#setup = setup;
    this.#clock = clock;
    this.#cipher = new Cipher(setup.master);
    this.#chunker = new Chunker(chunking(setup.polynomial, setup.chunkMin));
    this.#window = this.#chunker.buffer(WINDOW_BYTES);
    const zeros = Buffer.alloc(setup.chunkMin);
    this.#zeros = { bytes: zeros, id: hash("sha256", zeros, "buffer") };
    // 0 is the calling thread on Linux; Windows knows priorities of whole processes only.
    if (setup.lowPriority) setPriority(0, constants.priority.PRIORITY_LOW);
  }

  step({ store, read, spare }: StepInput): StepAnswer {
    const began = performance.now();
    this.#spare ??= spare;
    if (store !== undefined) this.#store = store;
    const stored = this.#storePieces();
    const answer: StepAnswer = { ...stored, hasMemory: this.#pack !== null || this.#spare !== undefined };
    if (answer.unfinished === undefined) {
      this.#pieces = [];
      this.#store = undefined;
      this.#stored = 0;
      if (read !== undefined) answer.read = this.#read(read);
    }
    if (this.#setup.lowPriority) this.#rest(performance.now() - began);
    return answer;
  }

  /** Stores what is to be stored, up to the end of a pack: the next one may use the memory of one that is stored by then. */
  #storePieces(): Pick<StepAnswer, "packs" | "newBytes" | "unfinished"> {
    let newBytes = 0;
    for (; this.#stored < this.#pieces.length; this.#stored += 1) {
      if (this.#store?.[this.#stored] !== 1) continue;
      if (this.#pack?.full === true) return { packs: [this.#finishPack(this.#pack)], newBytes, unfinished: true };
      const { id, start, end } = this.#pieces[this.#stored] as Piece;
      const { length } = this.#openPack().add(id.toString("hex"), this.#window.subarray(start, end), this.#setup.level, this.#quick);
      this.#quick = this.#ofOneFile && length > (end - start) * QUICK_SHARE;
      newBytes += end - start;
    }
    return { packs: this.#pack?.full === true ? [this.#finishPack(this.#pack)] : [], newBytes };
  }

  /** Takes in the blobs of a small pack of another thread. */
  adopt(blobs: readonly PackedBlob[], bytes: Uint8Array): FinishedPack[] {
    const packs: FinishedPack[] = [];
    for (const blob of blobs) {
      const pack = this.#openPack();
      pack.addSealed(blob, bytes.subarray(blob.offset, blob.offset + blob.length));
      if (pack.full) packs.push(this.#finishPack(pack));
    }
    return packs;
  }

  /** The pack that is not full, if there is one. */
  flush(): FinishedPack | null {
    return this.#pack === null ? null : this.#finishPack(this.#pack);
  }

  #read(reading: Reading): ReadAnswer {
    if (reading.kind !== "more") this.#quick = false;
    this.#ofOneFile = reading.kind !== "batch";
    const files = reading.kind === "batch" ? this.#readBatch(reading.files) : this.#readLarge(reading);
    const ids = new Uint8Array(this.#pieces.length * ID_BYTES);
    const sizes = new Uint32Array(this.#pieces.length);
    for (const [at, { id, start, end }] of this.#pieces.entries()) {
      ids.set(id, at * ID_BYTES);
      sizes[at] = end - start;
    }
    return { ids, sizes, files };
  }

  #readBatch(requests: readonly FileRequest[]): FileAnswer[] {
    let at = 0;
    // One piece of memory for all: each would be a message's part of its own.
    const records = Buffer.alloc(requests.length * STATS_BYTES);
    return requests.map((request, n) => {
      const answer = this.#readSmall(request, at, records.subarray(n * STATS_BYTES, (n + 1) * STATS_BYTES));
      if (answer.status === "read") at += answer.bytes;
      return answer;
    });
  }

  /** A file that is one piece, at `at` of the window. */
  #readSmall(request: FileRequest, at: number, record: Buffer): FileAnswer {
    return reportingErrors(() => {
      const file = new OpenFile(request.path, this.#clock, request.length);
      try {
        if (file.size > this.#setup.chunkMin || at + file.size > this.#window.length) return { status: "large", bytes: file.size };
        const bytes = file.read(this.#window, at, at + file.size);
        const content = this.#window.subarray(at, at + bytes);
        const database = !request.plain && isDatabase(content);
        if (database && mayBeInUse(request.path, content)) return { status: "in-use" };
        const changed = file.whatChanged();
        if (database && (changed !== undefined || hasLog(request.path))) return { status: "in-use" };
        if (bytes > 0) this.#pieces.push({ id: hash("sha256", content, "buffer"), start: at, end: at + bytes });
        return {
          status: "read",
          stats: statsRecord(file.before, record),
          bytes,
          pieces: bytes > 0 ? 1 : 0,
          changed,
          ...(database && { database }),
        };
      } finally {
        file.close();
      }
    });
  }

  /** The next window of a large file. */
  #readLarge(reading: Exclude<Reading, { kind: "batch" }>): FileAnswer[] {
    const answer = reportingErrors<FileAnswer | null>(() => {
      const held = reading.kind === "large" ? this.#beginLarge(reading.file) : this.#chunker.carry();
      const large = this.#large;
      if (large === null) throw new RangeError("No large file is being read");
      const { file, request } = large;
      const read = file.read(this.#window, held, this.#window.length);
      if (reading.kind === "large") {
        const content = this.#window.subarray(0, read);
        large.database = !request.plain && isDatabase(content);
        if (large.database && mayBeInUse(request.path, content)) return { status: "in-use" };
      }
      // Less than there was room for: the file ended, maybe before its time.
      const last = file.atEnd || held + read < this.#window.length;
      let start = 0;
      for (const end of this.#chunker.cuts(held + read, last)) {
        this.#pieces.push({ id: this.#idOf(start, end), start, end });
        start = end;
      }
      if (!last) return null;
      const changed = file.whatChanged();
      if (large.database && (changed !== undefined || hasLog(request.path))) return { status: "in-use" };
      const database = large.database ? ({ database: true } as const) : {};
      return { status: "read", stats: statsRecord(file.before), bytes: file.position, pieces: this.#pieces.length, changed, ...database };
    });
    if (answer === null) return [];
    this.#large?.file.close();
    this.#large = null;
    return [answer];
  }

  #beginLarge(request: FileRequest): number {
    this.#large = { file: new OpenFile(request.path, this.#clock, request.length), request, database: false };
    this.#window = this.#chunker.buffer(WINDOW_BYTES);
    return 0;
  }

  /** Zeros are cut into the smallest pieces: of a sparse file, only one of them is hashed. */
  #idOf(start: number, end: number): Buffer {
    const content = this.#window.subarray(start, end);
    const { bytes, id } = this.#zeros;
    return content.length === bytes.length && content[0] === 0 && content.equals(bytes) ? id : hash("sha256", content, "buffer");
  }

  #openPack(): PackBuilder {
    if (this.#pack === null) {
      this.#pack = new PackBuilder(this.#cipher, "data", PACK_BYTES, this.#spare ?? new SharedArrayBuffer(PACK_MEMORY_BYTES));
      this.#spare = undefined;
    }
    return this.#pack;
  }

  #finishPack(pack: PackBuilder): FinishedPack {
    this.#pack = null;
    return pack.finish();
  }

  #rest(workedMs: number): void {
    this.#clock.sleep(Math.min(REST_MAX_MS, (workedMs * (1 - LOW_PRIORITY_SHARE)) / LOW_PRIORITY_SHARE));
  }
}

/** Errors of the operating system are an answer; those of ours come through. */
function reportingErrors<T>(work: () => T): T | { status: "failed"; code: string } {
  try {
    return work();
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined || code.startsWith("ERR_")) throw error;
    return { status: "failed", code };
  }
}
