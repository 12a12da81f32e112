import { freeMemory } from "../../free-memory.ts";

/** The answer is longer than anything that was asked for. */
export class AnswerTooLong extends Error {
  override readonly name = "AnswerTooLong";
}

/** Memory is taken at once for as much as an answer says that it holds, up to this: more only as it comes. In bytes. */
const TAKEN_AT_ONCE_MAX = 32 * 1024 * 1024;

/** The body of an answer as it comes, in one piece of memory: parts that wait to be put together would be garbage by the megabyte. */
export class Body {
  #memory: Buffer;
  #length = 0;
  readonly #max: number;

  /**
   * @param expected Bytes that the answer says it has.
   * @param memory Taken when that many fit.
   */
  constructor(expected: number, max: number, memory?: Uint8Array) {
    const atOnce = Number.isSafeInteger(expected) && expected > 0 ? Math.min(expected, max, TAKEN_AT_ONCE_MAX) : 0;
    const isEnough = memory !== undefined && atOnce <= memory.length;
    this.#memory = isEnough ? Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength) : Buffer.allocUnsafeSlow(atOnce);
    this.#max = max;
  }

  /**
   * Takes a part over: nobody else may use it afterwards.
   * @throws AnswerTooLong
   */
  add(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (length > this.#max) throw new AnswerTooLong(`the answer is longer than ${this.#max} bytes`);
    if (length > this.#memory.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#max, Math.max(length, this.#memory.length * 2)));
      this.#memory.copy(larger, 0, 0, this.#length);
      this.#memory = larger;
    }
    this.#memory.set(part, this.#length);
    this.#length = length;
    // Not when it shares its memory with the next part.
    if (part.byteLength === part.buffer.byteLength) freeMemory(part);
  }

  finish(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }
}
