import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ID_BYTES, type Id, isId } from "../format/ids.ts";
import type { IndexedPack } from "../format/index-file.ts";
import type { PackedBlob } from "../format/pack.ts";
import type { BlobIndex } from "./blob-index.ts";

/** First bytes of a cached index file. Another layout gets another number. */
const MAGIC = Buffer.from("RSINDEX1");
/** Id, offset, length, plain length, and 1 for a tree. */
const BLOB_BYTES = ID_BYTES + 16;
const PACK_BYTES = ID_BYTES + 4;
const SUM_BYTES = 32;
const TEMPORARY = /\.tmp$/;

/**
 * Index files as they are after opening, kept on this host by their name: an index file never changes, and this form is read without
 * decrypting, decompressing or parsing. It only saves time: what is missing or damaged in it is read from the store.
 */
export class IndexCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Fills the index from the cached file. False when it is not there, or not whole. */
  async load(name: Id, index: BlobIndex): Promise<boolean> {
    const bytes = await readFile(join(this.#folder, name)).catch(() => null);
    if (bytes === null || !isWhole(bytes)) return false;
    const end = bytes.length - SUM_BYTES;
    for (let at = MAGIC.length; at < end; ) {
      const pack = bytes.toString("hex", at, at + ID_BYTES);
      const count = bytes.readUInt32LE(at + ID_BYTES);
      const blobs = at + PACK_BYTES;
      index.addBlobs(pack, count, (n, key) => readBlob(bytes, blobs + n * BLOB_BYTES, key), name);
      at = blobs + count * BLOB_BYTES;
    }
    return true;
  }

  /** Keeps an index file. A host that has no room for it goes on without. */
  async save(name: Id, packs: readonly IndexedPack[]): Promise<void> {
    const temporary = join(this.#folder, `${name}.${process.pid}.tmp`);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFile(temporary, encode(packs), { mode: 0o600 });
      await rename(temporary, join(this.#folder, name));
    } catch {
      // The cache saves time and nothing else: the next run reads the file from the store again.
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }

  /** Removes what the store does not have any more, and leftovers of killed runs. */
  async keepOnly(names: ReadonlySet<Id>): Promise<void> {
    const entries = await readdir(this.#folder).catch(() => []);
    for (const entry of entries) {
      if (names.has(entry) || !(isId(entry) || TEMPORARY.test(entry))) continue;
      await rm(join(this.#folder, entry), { force: true }).catch(() => undefined);
    }
  }
}

function readBlob(bytes: Buffer, at: number, key: Buffer) {
  bytes.copy(key, 0, at, at + ID_BYTES);
  const numbers = at + ID_BYTES;
  return {
    offset: bytes.readUInt32LE(numbers),
    length: bytes.readUInt32LE(numbers + 4),
    plainLength: bytes.readUInt32LE(numbers + 8),
    type: bytes.readUInt32LE(numbers + 12) === 1 ? ("tree" as const) : ("data" as const),
  };
}

function isWhole(bytes: Buffer): boolean {
  const end = bytes.length - SUM_BYTES;
  return end >= MAGIC.length && bytes.subarray(0, MAGIC.length).equals(MAGIC) && sumOf(bytes.subarray(0, end)).equals(bytes.subarray(end));
}

function encode(packs: readonly IndexedPack[]): Buffer {
  const size = packs.reduce((sum, { blobs }) => sum + PACK_BYTES + blobs.length * BLOB_BYTES, MAGIC.length);
  const bytes = Buffer.alloc(size + SUM_BYTES);
  let at = MAGIC.copy(bytes);
  for (const { id, blobs } of packs) {
    bytes.write(id, at, "hex");
    bytes.writeUInt32LE(blobs.length, at + ID_BYTES);
    at += PACK_BYTES;
    for (const blob of blobs) at = writeBlob(bytes, at, blob);
  }
  sumOf(bytes.subarray(0, size)).copy(bytes, size);
  return bytes;
}

function writeBlob(bytes: Buffer, at: number, blob: PackedBlob): number {
  bytes.write(blob.id, at, "hex");
  const numbers = [blob.offset, blob.length, blob.uncompressedLength ?? 0, blob.type === "tree" ? 1 : 0];
  return numbers.reduce((to, number) => bytes.writeUInt32LE(number, to), at + ID_BYTES);
}

function sumOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
