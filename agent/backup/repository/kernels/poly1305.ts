import { POLY1305 } from "./binaries.ts";
import { instanceOf } from "./instance.ts";

interface Kernel {
  memory: WebAssembly.Memory;
  start(): void;
  update(length: number): void;
  finish(): void;
}

const KEY_AT = 64;
const TAG_AT = 96;
const MESSAGE_AT = 1024;
/** A piece of message at a time: it stays in the processor's nearest caches between being copied and being read. A multiple of 16. */
const PIECE_BYTES = 32 * 1024;

export const POLY1305_KEY_BYTES = 16;
export const POLY1305_TAG_BYTES = 16;

/** Poly1305 in WebAssembly. One instance serves any number of messages, one after another. */
export class Poly1305 {
  readonly #kernel: Kernel;
  readonly #memory: Uint8Array;

  constructor() {
    this.#kernel = instanceOf(POLY1305) as unknown as Kernel;
    this.#memory = new Uint8Array(this.#kernel.memory.buffer);
  }

  /** The tag of a message under the key `r` and the number `s` that is used once. The result is valid until the next call. */
  tag(r: Uint8Array, s: Uint8Array, message: Uint8Array): Uint8Array {
    this.#memory.set(r, KEY_AT);
    this.#memory.set(s, KEY_AT + POLY1305_KEY_BYTES);
    this.#kernel.start();
    for (let at = 0; at < message.length; at += PIECE_BYTES) {
      const piece = message.subarray(at, at + PIECE_BYTES);
      this.#memory.set(piece, MESSAGE_AT);
      this.#kernel.update(piece.length);
    }
    this.#kernel.finish();
    return this.#memory.subarray(TAG_AT, TAG_AT + POLY1305_TAG_BYTES);
  }
}
