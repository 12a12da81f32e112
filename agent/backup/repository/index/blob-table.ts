import { randomInt } from "node:crypto";
import type { BlobType } from "../format/pack.ts";

/** 32-bit words of one entry: eight of the id, then what the constants below name. 48 bytes. */
const WORDS = 12;
const ID_WORDS = 8;
/** Number of the pack in the lower 31 bits, the type in the upper one. */
const PACK_WORD = 8;
const OFFSET_WORD = 9;
const LENGTH_WORD = 10;
/** Length when decompressed; 0 for a blob that is not compressed (an empty blob is never stored compressed). */
const PLAIN_WORD = 11;
const TREE_BIT = 0x8000_0000;
const PACK_MASK = 0x7fff_ffff;

/** Entries come in pages, so that growing copies nothing. 4,096 entries are 192 KiB. */
const PAGE_SHIFT = 12;
const PAGE_ENTRIES = 1 << PAGE_SHIFT;
const SLOTS_AT_FIRST = 1024;
/** More entries than this would not fit into the 32 bits of a slot. A repository of 1 MiB blobs has then 4 PiB. */
const ENTRIES_MAX = 2 ** 32 - 2;

/** What the table knows of one blob, beside its id. */
export interface BlobPlace {
  type: BlobType;
  /** Number of the pack, as the caller counts them. */
  pack: number;
  offset: number;
  length: number;
  /** 0: not compressed. */
  plainLength: number;
}

/**
 * A hash table with open addressing over typed arrays: 48 bytes an entry and 6 to 12 for its slots, and no object a blob. Entries are only
 * ever added, and keep their number. One id may be there several times (the same blob in several packs).
 */
export class BlobTable {
  readonly #pages: Uint32Array[] = [];
  /** Number of an entry plus one, or 0. A power of two long. */
  #slots = new Uint32Array(SLOTS_AT_FIRST);
  #count = 0;
  /** Random factors: somebody who chooses ids cannot make them collide. */
  readonly #factors = Uint32Array.from({ length: ID_WORDS }, () => randomInt(2 ** 31) * 2 + 1);
  readonly #wanted = new Uint32Array(ID_WORDS);

  get count(): number {
    return this.#count;
  }

  /** Adds an entry for the 32 bytes of `ids` at `at`, and answers its number. */
  add(ids: Buffer, at: number, place: BlobPlace): number {
    if (this.#count >= ENTRIES_MAX) throw new RangeError("The index of this repository has more entries than 32 bits can number");
    if ((this.#count + 1) * 3 > this.#slots.length * 2) this.#grow();
    const entry = this.#count++;
    if ((entry & (PAGE_ENTRIES - 1)) === 0) this.#pages.push(new Uint32Array(PAGE_ENTRIES * WORDS));
    const page = this.#page(entry);
    const base = (entry & (PAGE_ENTRIES - 1)) * WORDS;
    for (let word = 0; word < ID_WORDS; word += 1) page[base + word] = ids.readUInt32LE(at + word * 4);
    page[base + PACK_WORD] = place.pack | (place.type === "tree" ? TREE_BIT : 0);
    page[base + OFFSET_WORD] = place.offset;
    page[base + LENGTH_WORD] = place.length;
    page[base + PLAIN_WORD] = place.plainLength;
    this.#put(entry, this.#hashOf(page, base));
    return entry;
  }

  /** Number of the first entry of an id and type, or -1. */
  find(ids: Buffer, at: number, type: BlobType): number {
    const wanted = this.#wanted;
    for (let word = 0; word < ID_WORDS; word += 1) wanted[word] = ids.readUInt32LE(at + word * 4);
    return this.#probe(this.#hashOf(wanted, 0), wanted, type, () => true);
  }

  /** Numbers of every entry of an id and type, in the order of adding. */
  findAll(ids: Buffer, at: number, type: BlobType): number[] {
    const wanted = Uint32Array.from({ length: ID_WORDS }, (_, word) => ids.readUInt32LE(at + word * 4));
    const found: number[] = [];
    this.#probe(this.#hashOf(wanted, 0), wanted, type, (entry) => {
      found.push(entry);
      return false;
    });
    return found.sort((a, b) => a - b);
  }

  place(entry: number): BlobPlace {
    const page = this.#page(entry);
    const base = (entry & (PAGE_ENTRIES - 1)) * WORDS;
    const pack = page[base + PACK_WORD] as number;
    return {
      type: (pack & TREE_BIT) === 0 ? "data" : "tree",
      pack: pack & PACK_MASK,
      offset: page[base + OFFSET_WORD] as number,
      length: page[base + LENGTH_WORD] as number,
      plainLength: page[base + PLAIN_WORD] as number,
    };
  }

  /** Writes the id of an entry into 32 bytes of `target`. */
  copyId(entry: number, target: Buffer, at: number): void {
    const page = this.#page(entry);
    const base = (entry & (PAGE_ENTRIES - 1)) * WORDS;
    for (let word = 0; word < ID_WORDS; word += 1) target.writeUInt32LE(page[base + word] as number, at + word * 4);
  }

  #page(entry: number): Uint32Array {
    const page = this.#pages[entry >>> PAGE_SHIFT];
    if (page === undefined) throw new RangeError(`The index has no entry ${entry}`);
    return page;
  }

  #hashOf(words: Uint32Array, base: number): number {
    let hash = 0;
    for (let word = 0; word < ID_WORDS; word += 1)
      hash = (hash + Math.imul(words[base + word] as number, this.#factors[word] as number)) | 0;
    // The upper bits of a product are the well-mixed ones; a slot is chosen by the lower.
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  /** Looks at each entry of an id until `wants` says that it is enough. Answers that entry, or -1. */
  #probe(hash: number, wanted: Uint32Array, type: BlobType, wants: (entry: number) => boolean): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const filled = this.#slots[slot] as number;
      if (filled === 0) return -1;
      const entry = filled - 1;
      if (this.#matches(entry, wanted, type) && wants(entry)) return entry;
    }
  }

  #matches(entry: number, wanted: Uint32Array, type: BlobType): boolean {
    const page = this.#page(entry);
    const base = (entry & (PAGE_ENTRIES - 1)) * WORDS;
    for (let word = 0; word < ID_WORDS; word += 1) if (page[base + word] !== wanted[word]) return false;
    return (((page[base + PACK_WORD] as number) & TREE_BIT) !== 0) === (type === "tree");
  }

  #put(entry: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = entry + 1;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let entry = 0; entry < this.#count; entry += 1) {
      this.#put(entry, this.#hashOf(this.#page(entry), (entry & (PAGE_ENTRIES - 1)) * WORDS));
    }
  }
}
