import { remainder, toPolynomial } from "../format/polynomial.ts";
import { CHUNKER } from "./binaries.ts";
import { instanceOf } from "./instance.ts";

const MIB = 1024 * 1024;

/** Smallest chunk of repositories that we make, in bytes: half as many bytes are new after small edits as with CHUNK_MIN_SHARED. */
export const CHUNK_MIN = 128 * 1024;
/** restic's own smallest chunk, in bytes: with it, what restic stored before is found again. */
export const CHUNK_MIN_SHARED = 512 * 1024;
/** restic's own largest chunk, in bytes. */
export const CHUNK_MAX = 8 * MIB;
/** restic's own: the lowest 20 bits of the fingerprint are zero at a cut, so that one comes about every MiB. */
export const CHUNK_AVERAGE_BITS = 20;

/** Bytes that a fingerprint covers. */
const WINDOW_BYTES = 64;
const OUT_AT = 0;
const MODULO_AT = 2048;
const DATA_AT = 8192;
/** The kernel reads so many bytes behind the data, as it moves on from the last window. */
const BEHIND_BYTES = 1;
const PAGE_BYTES = 64 * 1024;

interface Kernel {
  memory: WebAssembly.Memory;
  find(at: number, end: number, mask: bigint): number;
}

export interface ChunkerOptions {
  /** From the repository's config, in hex. */
  polynomial: string;
  /** Bytes, at least 64. */
  min: number;
  /** Bytes. */
  max: number;
  /** log2 of the bytes from one cut to the next. */
  averageBits: number;
}

/**
 * Cuts data where its content says so, at the places where restic would cut it: the same content is cut the same way wherever it stands.
 *
 * @example
 * const memory = chunker.buffer(16 * 1024 * 1024);
 * let held = 0;
 * for (;;) {
 *   const read = readSync(file, memory, held, memory.length - held, null);
 *   let start = 0;
 *   for (const end of chunker.cuts(held + read, read === 0)) { … memory.subarray(start, end) …; start = end; }
 *   if (read === 0) break;
 *   held = chunker.carry();
 * }
 */
export class Chunker {
  readonly #kernel: Kernel;
  readonly #min: number;
  readonly #max: number;
  readonly #mask: bigint;
  #capacity = 0;
  /** Bytes from the start of the buffer that are known to hold no end of the first chunk. */
  #searched = 0;
  /** What the last call of `cuts` left: from where to where, and up to where it was searched. */
  #rest = { start: 0, end: 0, searched: 0 };

  constructor({ polynomial, min, max, averageBits }: ChunkerOptions) {
    if (min < WINDOW_BYTES || max < min) throw new RangeError(`Chunks from ${min} to ${max} bytes cannot be made`);
    this.#kernel = instanceOf(CHUNKER) as unknown as Kernel;
    this.#min = min;
    this.#max = max;
    this.#mask = (1n << BigInt(averageBits)) - 1n;
    const tables = new DataView(this.#kernel.memory.buffer);
    const modulus = toPolynomial(polynomial);
    for (let byte = 0; byte < 256; byte += 1) {
      const shifted = BigInt(byte) << 53n;
      tables.setBigUint64(OUT_AT + byte * 8, remainder(BigInt(byte) << BigInt(WINDOW_BYTES * 8), modulus), true);
      tables.setBigUint64(MODULO_AT + byte * 8, shifted | remainder(shifted, modulus), true);
    }
  }

  /**
   * Memory that the caller reads file bytes into, so that they are chunked without a copy. At least `capacity` bytes. A call for more than
   * there is takes new memory: buffers of earlier calls are then empty.
   */
  buffer(capacity: number): Buffer {
    const { memory } = this.#kernel;
    const missing = DATA_AT + capacity + BEHIND_BYTES - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#capacity = memory.buffer.byteLength - DATA_AT - BEHIND_BYTES;
    this.#searched = 0;
    this.#rest = { start: 0, end: 0, searched: 0 };
    return Buffer.from(memory.buffer, DATA_AT, capacity);
  }

  /**
   * Ends (exclusive, in bytes from the start) of the chunks in the first `length` bytes of the buffer. The last piece is an end only when `last`.
   * Otherwise it has to stand at the start of the buffer in the next call, with what follows behind it; `carry` puts it there.
   */
  cuts(length: number, last: boolean): number[] {
    if (length > this.#capacity) throw new RangeError(`The buffer holds ${this.#capacity} bytes, not ${length}`);
    const ends: number[] = [];
    let start = 0;
    let searched = this.#searched;
    while (length - start > this.#min || (length - start === this.#min && !last)) {
      const limit = Math.min(start + this.#max, length);
      const from = Math.max(start + this.#min, searched);
      // A window ends where its chunk would end, and is named by where it begins.
      const shift = DATA_AT - WINDOW_BYTES;
      const found = from > limit ? limit + 1 : this.#kernel.find(from + shift, limit + 1 + shift, this.#mask) - shift;
      searched = limit + 1;
      if (found > limit && limit - start < this.#max) break;
      start = Math.min(found, limit);
      ends.push(start);
      searched = 0;
    }
    this.#searched = 0;
    this.#rest = { start, end: length, searched: Math.max(start, searched) };
    if (last && start < length) {
      ends.push(length);
      this.#rest = { start: length, end: length, searched: length };
    }
    return ends;
  }

  /** Moves what the last call of `cuts` left to the start of the buffer, so that it is not searched again, and answers its length. */
  carry(): number {
    const { start, end, searched } = this.#rest;
    new Uint8Array(this.#kernel.memory.buffer, DATA_AT).copyWithin(0, start, end);
    this.#searched = searched - start;
    this.#rest = { start: 0, end: end - start, searched: searched - start };
    return end - start;
  }
}
