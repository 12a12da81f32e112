import { ID_BYTES, type Id } from "../format/ids.ts";
import type { IndexedPack } from "../format/index-file.ts";
import type { BlobType, PackedBlob } from "../format/pack.ts";
import { type BlobPlace, BlobTable } from "./blob-table.ts";

/** Where a blob lies. `length` is that of its sealed bytes in the pack. */
export interface BlobLocation {
  pack: Id;
  offset: number;
  length: number;
  /** Absent: not compressed. */
  uncompressedLength?: number;
}

/** A pack that the index knows. */
export interface KnownPack {
  id: Id;
  /** Index files that name it. Empty for a pack of this run that no index file names yet. */
  indexes: readonly Id[];
  /** How many blobs the index knows in it. */
  blobs: number;
}

interface PackRow {
  id: Id;
  indexes: Id[];
  /** Its entries: first number and count. One run, unless several index files tell different parts of it. */
  runs: { first: number; count: number }[];
}

/**
 * Where each blob lies. About 60 bytes a blob and no object each, so that a million of them fit into 60 MB. Entries have numbers from 0 to
 * `entries - 1` that never change, so that whoever walks a repository can keep a bit for each.
 */
export class BlobIndex {
  readonly #table = new BlobTable();
  readonly #packs: PackRow[] = [];
  readonly #packNumbers = new Map<Id, number>();
  /** Blobs on their way: id bytes and type as a string. No more than fit into the packs that are being filled. */
  readonly #claimed = new Set<string>();
  readonly #key = Buffer.alloc(ID_BYTES);
  #bytes = 0;

  /** How many blobs are known, counting one that lies in several packs as often. */
  get size(): number {
    return this.#table.count;
  }

  /** Bytes of all known blobs, as they are stored. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The blob lies in a pack. One that is only claimed does not. */
  has(id: Id, type: BlobType): boolean {
    return this.entryOf(id, type) >= 0;
  }

  /** The same for the 32 raw bytes of `ids` at `at`. */
  hasBytes(ids: Buffer, at: number, type: BlobType): boolean {
    return this.#table.find(ids, at, type) >= 0;
  }

  /** Number of the first entry of a blob, or -1. */
  entryOf(id: Id, type: BlobType): number {
    this.#key.write(id, "hex");
    return this.#table.find(this.#key, 0, type);
  }

  /** Numbers of all entries of a blob: one for each pack that it lies in. */
  entriesOf(id: Id, type: BlobType): number[] {
    this.#key.write(id, "hex");
    return this.#table.findAll(this.#key, 0, type);
  }

  find(id: Id, type: BlobType): BlobLocation | null {
    const entry = this.entryOf(id, type);
    return entry < 0 ? null : this.locationOf(entry);
  }

  /** Every place of a blob, the one that `find` answers first. */
  findAll(id: Id, type: BlobType): BlobLocation[] {
    return this.entriesOf(id, type).map((entry) => this.locationOf(entry));
  }

  locationOf(entry: number): BlobLocation {
    const { pack, offset, length, plainLength } = this.#table.place(entry);
    return { pack: this.#row(pack).id, offset, length, ...(plainLength > 0 && { uncompressedLength: plainLength }) };
  }

  /** The blob of an entry, with its place in the pack. */
  blobOf(entry: number): PackedBlob {
    const { type, offset, length, plainLength } = this.#table.place(entry);
    return { id: this.idOf(entry), type, offset, length, ...(plainLength > 0 && { uncompressedLength: plainLength }) };
  }

  idOf(entry: number): Id {
    this.#table.copyId(entry, this.#key, 0);
    return this.#key.toString("hex");
  }

  /** Copies the raw id of an entry to `target` at `at`. */
  copyId(entry: number, target: Buffer, at: number): void {
    this.#table.copyId(entry, target, at);
  }

  /** Number of the pack of an entry: its place in the order of `packs()`. */
  packNumberOf(entry: number): number {
    return this.#table.place(entry).pack;
  }

  packId(number: number): Id {
    return this.#row(number).id;
  }

  get packCount(): number {
    return this.#packs.length;
  }

  /** Takes in the blobs of a pack, and ends their claims. `indexName` is the index file that names it, when there is one. */
  addPack(pack: IndexedPack, indexName?: Id): void {
    const read = (n: number, key: Buffer) => {
      const { id, type, offset, length, uncompressedLength } = pack.blobs[n] as PackedBlob;
      key.write(id, "hex");
      return { type, offset, length, plainLength: uncompressedLength ?? 0 };
    };
    this.addBlobs(pack.id, pack.blobs.length, read, indexName);
  }

  /** The same for blobs that are given one by one: `read` writes the id of the n-th into the key and answers its place. */
  addBlobs(pack: Id, count: number, read: (n: number, key: Buffer) => Omit<BlobPlace, "pack">, indexName?: Id): void {
    const number = this.#numberFor(pack, indexName);
    const { runs } = this.#row(number);
    // A pack that two index files tell: only what is new of it.
    const known = runs.length > 0;
    for (let n = 0; n < count; n += 1) {
      const place = { ...read(n, this.#key), pack: number };
      if (known && this.#hasAt(place)) continue;
      const entry = this.#table.add(this.#key, 0, place);
      this.#bytes += place.length;
      const last = runs.at(-1);
      if (last !== undefined && last.first + last.count === entry) last.count += 1;
      else runs.push({ first: entry, count: 1 });
      if (this.#claimed.size > 0) this.#claimed.delete(claimKey(this.#key, 0, place.type));
    }
  }

  /** Notes that an index file names these packs now. */
  named(packs: Iterable<Id>, indexName: Id): void {
    for (const id of packs) this.#numberFor(id, indexName);
  }

  *packs(): Iterable<KnownPack> {
    for (const row of this.#packs) yield { id: row.id, indexes: row.indexes, blobs: row.runs.reduce((sum, { count }) => sum + count, 0) };
  }

  hasPack(pack: Id): boolean {
    return this.#packNumbers.has(pack);
  }

  /** Blobs of a pack, by their offset. */
  blobsOf(pack: Id): PackedBlob[] {
    return this.entriesIn(pack)
      .map((entry) => this.blobOf(entry))
      .sort((a, b) => a.offset - b.offset);
  }

  /** Numbers of the entries of a pack. */
  entriesIn(pack: Id): number[] {
    const number = this.#packNumbers.get(pack);
    if (number === undefined) return [];
    return this.#row(number).runs.flatMap(({ first, count }) => Array.from({ length: count }, (_, n) => first + n));
  }

  /**
   * Marks a blob as on its way, so that nobody else packs it in this run. False when it is known or claimed already. The claim ends when
   * `addPack` takes the blob in, or with `release`.
   */
  claim(ids: Buffer, at: number, type: BlobType): boolean {
    if (this.hasBytes(ids, at, type)) return false;
    const key = claimKey(ids, at, type);
    if (this.#claimed.has(key)) return false;
    this.#claimed.add(key);
    return true;
  }

  /** Gives a claim back: the blob did not make it into a pack. */
  release(ids: Buffer, at: number, type: BlobType): void {
    this.#claimed.delete(claimKey(ids, at, type));
  }

  /** True when the blob in `#key` is known at that place. */
  #hasAt({ type, pack, offset }: BlobPlace): boolean {
    return this.#table.findAll(this.#key, 0, type).some((entry) => {
      const place = this.#table.place(entry);
      return place.pack === pack && place.offset === offset;
    });
  }

  #numberFor(id: Id, indexName: Id | undefined): number {
    let number = this.#packNumbers.get(id);
    if (number === undefined) {
      number = this.#packs.length;
      this.#packs.push({ id, indexes: [], runs: [] });
      this.#packNumbers.set(id, number);
    }
    const { indexes } = this.#row(number);
    if (indexName !== undefined && !indexes.includes(indexName)) indexes.push(indexName);
    return number;
  }

  #row(number: number): PackRow {
    const row = this.#packs[number];
    if (row === undefined) throw new RangeError(`The index has no pack ${number}`);
    return row;
  }
}

function claimKey(ids: Buffer, at: number, type: BlobType): string {
  return `${type === "tree" ? "t" : "d"}${ids.toString("latin1", at, at + ID_BYTES)}`;
}
