/** One bit for each entry of an index: 125 KB for a million blobs. */
export class EntryBits {
  readonly #bits: Uint8Array;

  constructor(entries: number) {
    this.#bits = new Uint8Array(Math.ceil(entries / 8));
  }

  has(entry: number): boolean {
    return ((this.#bits[entry >>> 3] as number) & (1 << (entry & 7))) !== 0;
  }

  /** False when the bit was set already. */
  add(entry: number): boolean {
    if (this.has(entry)) return false;
    this.#bits[entry >>> 3] = (this.#bits[entry >>> 3] as number) | (1 << (entry & 7));
    return true;
  }
}
