import { SEAL_OVERHEAD } from "../format/cipher.ts";
import type { Id } from "../format/ids.ts";
import type { BlobIndex, BlobLocation } from "../index/blob-index.ts";
import type { EndWork, FileWork, FolderWork } from "./work.ts";

/** A round ends when it has so many files, folders and links, which take some 300 bytes each … */
const ITEMS_MAX = 65_536;
/** … or so many places that blobs go to, of 16 bytes each. */
const PLACES_MAX = 1_048_576;
/** Blobs of a pack that lie close together are read in one go: reading over a gap costs less than another call. In bytes. */
const GAP_MAX_BYTES = 256 * 1024;
/** So much of a pack is read at a time, in bytes: several of these are in memory, at each step from the store to the disk. A larger blob comes alone. */
const BATCH_MAX_BYTES = 4 * 1024 * 1024;
/** The same of a store that is far away, where a call costs more. */
export const FAR_BATCH_MAX_BYTES = 16 * 1024 * 1024;
/** Packs are told apart in sorting by what is above an offset of 32 bits. */
const OFFSET_RANGE = 2 ** 32;

/** Part of a pack, and the blobs in it that files need. */
export interface PlannedBatch {
  pack: Id;
  offset: number;
  length: number;
  blobs: PlannedBlob[];
}

export interface PlannedBlob {
  id: Id;
  /** Number of its entry in the index. */
  entry: number;
  location: BlobLocation;
  writes: { file: FileWork; at: number }[];
}

/** Length of a blob when it is plain, in bytes. */
export function plainLength({ length, uncompressedLength }: BlobLocation): number {
  return uncompressedLength ?? length - SEAL_OVERHEAD;
}

/**
 * As many files as are restored together: which blob goes where, sorted by where the blobs lie, so that each pack is read once a round. 16 bytes for
 * each place, whatever the size of the files.
 */
export class Round {
  readonly files: FileWork[] = [];
  /** Outer ones first. */
  readonly folders: FolderWork[] = [];
  readonly ends: EndWork[] = [];
  readonly #index: BlobIndex;
  #entries = new Uint32Array(1024);
  #numbers = new Uint32Array(1024);
  #offsets = new Float64Array(1024);
  #count = 0;
  readonly #itemsMax: number;
  readonly #batchMax: number;

  /** @param far The store is not on this host. */
  constructor(index: BlobIndex, far: boolean, itemsMax: number = ITEMS_MAX) {
    this.#index = index;
    this.#itemsMax = itemsMax;
    this.#batchMax = far ? FAR_BATCH_MAX_BYTES : BATCH_MAX_BYTES;
  }

  get full(): boolean {
    return this.files.length + this.folders.length + this.ends.length >= this.#itemsMax || this.#count >= PLACES_MAX;
  }

  /**
   * Plans a file. Blobs that no index names leave it damaged: what is before them is placed from the start of the file, what is behind from its end.
   * Answers the length that its content adds up to, where that is known.
   */
  add(file: FileWork, content: readonly Id[]): { planned: number; known: boolean } {
    const number = this.files.push(file) - 1;
    const entries = content.map((id) => this.#index.entryOf(id, "data"));
    const lengths = entries.map((entry) => (entry < 0 ? null : plainLength(this.#index.locationOf(entry))));
    let at = 0;
    let n = 0;
    for (let length = lengths[n]; typeof length === "number"; length = lengths[n]) {
      this.#place(number, entries[n] as number, at);
      at += length;
      n += 1;
    }
    if (n === entries.length) return { planned: at, known: true };
    file.damaged = true;
    const start = at;
    at = file.size;
    for (let last = entries.length - 1; last > n; last -= 1) {
      const length = lengths[last];
      if (typeof length !== "number" || at - length < start) break;
      at -= length;
      this.#place(number, entries[last] as number, at);
    }
    return { planned: file.size, known: false };
  }

  /** What to read, pack by pack. */
  *batches(): Generator<PlannedBatch> {
    const keys = new Float64Array(this.#count);
    for (let n = 0; n < this.#count; n += 1) keys[n] = this.#keyOf(this.#entries[n] as number);
    const order = new Uint32Array(this.#count).map((_, n) => n).sort((a, b) => (keys[a] as number) - (keys[b] as number));
    let batch: PlannedBatch | null = null;
    for (const n of order) {
      const entry = this.#entries[n] as number;
      const write = { file: this.files[this.#numbers[n] as number] as FileWork, at: this.#offsets[n] as number };
      const last: PlannedBlob | undefined = batch?.blobs.at(-1);
      if (last?.entry === entry) {
        last.writes.push(write);
        continue;
      }
      const location = this.#index.locationOf(entry);
      const blob: PlannedBlob = { id: this.#index.idOf(entry), entry, location, writes: [write] };
      if (batch !== null && fits(batch, location, this.#batchMax)) {
        batch.length = location.offset + location.length - batch.offset;
        batch.blobs.push(blob);
        continue;
      }
      if (batch !== null) yield batch;
      batch = batchOf(blob);
    }
    if (batch !== null) yield batch;
  }

  #keyOf(entry: number): number {
    return this.#index.packNumberOf(entry) * OFFSET_RANGE + this.#index.locationOf(entry).offset;
  }

  #place(file: number, entry: number, at: number): void {
    if (this.#count === this.#entries.length) this.#grow();
    this.#entries[this.#count] = entry;
    this.#numbers[this.#count] = file;
    this.#offsets[this.#count] = at;
    this.#count += 1;
    (this.files[file] as FileWork).left += 1;
  }

  #grow(): void {
    const [entries, numbers, offsets] = [this.#entries, this.#numbers, this.#offsets];
    this.#entries = new Uint32Array(entries.length * 2);
    this.#entries.set(entries);
    this.#numbers = new Uint32Array(numbers.length * 2);
    this.#numbers.set(numbers);
    this.#offsets = new Float64Array(offsets.length * 2);
    this.#offsets.set(offsets);
  }
}

/** A batch of one blob. */
export function batchOf(blob: PlannedBlob): PlannedBatch {
  const { pack, offset, length } = blob.location;
  return { pack, offset, length, blobs: [blob] };
}

function fits(batch: PlannedBatch, { pack, offset, length }: BlobLocation, max: number): boolean {
  const end = batch.offset + batch.length;
  return pack === batch.pack && offset - end <= GAP_MAX_BYTES && offset + length - batch.offset <= max;
}
