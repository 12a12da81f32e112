/** Stretches begin at multiples of this, in bytes, so that their content can be read in words. */
const ALIGNMENT = 8;

/** A stretch of a ring. */
export interface Stretch {
  from: number;
  bytes: number;
}

/**
 * Shared memory that is used round and round: stretches are given back in the order in which they were taken. All threads see the same bytes,
 * nothing is copied between them, and none of it is ever left to the garbage collector.
 */
export class Ring {
  readonly memory: SharedArrayBuffer;
  /** In the order in which they were taken. */
  readonly #taken: Stretch[] = [];

  constructor(bytes: number) {
    this.memory = new SharedArrayBuffer(bytes);
  }

  /** A stretch in one piece of at least this size, with anything in it; undefined while there is no room. */
  take(wanted: number): Stretch | undefined {
    const bytes = Math.ceil(wanted / ALIGNMENT) * ALIGNMENT;
    if (bytes > this.memory.byteLength) throw new Error(`${bytes} bytes never fit a ring of ${this.memory.byteLength}`);
    const from = this.#roomFor(bytes);
    if (from === undefined) return undefined;
    const stretch = { from, bytes };
    this.#taken.push(stretch);
    return stretch;
  }

  /** Gives back the stretch that was taken first. */
  giveBack(stretch: Stretch): void {
    if (this.#taken[0] !== stretch) throw new Error("stretches are given back in the order in which they were taken");
    this.#taken.shift();
  }

  #roomFor(bytes: number): number | undefined {
    const [first, last] = [this.#taken[0], this.#taken.at(-1)];
    if (first === undefined || last === undefined) return 0;
    const end = last.from + last.bytes;
    // Taken is either one part in the middle, with room behind and before it, or all but one part in the middle.
    const wrapped = last.from < first.from;
    if (end + bytes <= (wrapped ? first.from : this.memory.byteLength)) return end;
    return !wrapped && bytes <= first.from ? 0 : undefined;
  }
}
