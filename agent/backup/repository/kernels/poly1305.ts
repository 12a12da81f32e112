import { POLY1305 } from "./binaries.ts";
import { instanceOf } from "./instance.ts";

interface Kernel {
  memory: WebAssembly.Memory;
  start(): void;
  blocks(at: number, end: number, high: bigint): void;
  update(length: number): void;
  finish(): void;
}

const KEY_AT = 64;
const TAG_AT = 96;
const MESSAGE_AT = 1024;
const BLOCK_BYTES = 16;
/** Above a whole block stands a 1. */
const WHOLE = 1n;
const PAGE_BYTES = 64 * 1024;
/** Where `buffer` begins: behind the memory that the kernel has from the start. */
const BUFFER_AT = 2 * PAGE_BYTES;
/** A piece of message at a time: it stays in the processor's nearest caches between being copied and being read. A multiple of 16. */
const PIECE_BYTES = 32 * 1024;

export const POLY1305_KEY_BYTES = 16;
export const POLY1305_TAG_BYTES = 16;

/** Poly1305 in WebAssembly. One instance serves any number of messages, one after another. */
export class Poly1305 {
  readonly #kernel: Kernel;
  #memory: Uint8Array;

  constructor() {
    this.#kernel = instanceOf(POLY1305) as unknown as Kernel;
    this.#memory = new Uint8Array(this.#kernel.memory.buffer);
  }

  /** Memory for messages: the tags of those that lie in it are made without a copy. What an earlier call gave is empty afterwards, or the same. */
  buffer(capacity: number): Buffer {
    const { memory } = this.#kernel;
    const missing = BUFFER_AT + capacity - memory.buffer.byteLength;
    if (missing > 0) {
      memory.grow(Math.ceil(missing / PAGE_BYTES));
      this.#memory = new Uint8Array(memory.buffer);
    }
    return Buffer.from(memory.buffer, BUFFER_AT, capacity);
  }

  /** The tag of a message under the key `r` and the number `s` that is used once. The result is valid until the next call. */
  tag(r: Uint8Array, s: Uint8Array, message: Uint8Array): Uint8Array {
    this.begin(r, s);
    this.take(message);
    return this.end();
  }

  /** Begins a message that comes in parts. */
  begin(r: Uint8Array, s: Uint8Array): void {
    this.#memory.set(r, KEY_AT);
    this.#memory.set(s, KEY_AT + POLY1305_KEY_BYTES);
    this.#kernel.start();
  }

  /** The next part of the message: whole blocks of 16 bytes, unless it is the last one. */
  take(part: Uint8Array): void {
    for (let at = this.#inPlace(part); at < part.length; at += PIECE_BYTES) {
      const piece = part.subarray(at, at + PIECE_BYTES);
      this.#memory.set(piece, MESSAGE_AT);
      this.#kernel.update(piece.length);
    }
  }

  /** The tag of the message. It is valid until the next call. */
  end(): Uint8Array {
    this.#kernel.finish();
    return this.#memory.subarray(TAG_AT, TAG_AT + POLY1305_TAG_BYTES);
  }

  /** Takes in the whole blocks of a message that lies in the kernel's memory. Answers how many bytes these are. */
  #inPlace({ buffer, byteOffset, length }: Uint8Array): number {
    if (buffer !== this.#kernel.memory.buffer) return 0;
    const whole = length - (length % BLOCK_BYTES);
    this.#kernel.blocks(byteOffset, byteOffset + whole, WHOLE);
    return whole;
  }
}
