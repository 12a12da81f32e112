import type { Cipher } from "./cipher.ts";
import { SEAL_OVERHEAD } from "./cipher.ts";
import { type CompressionLevel, compress } from "./compression.ts";
import { CorruptError } from "./corrupt.ts";
import { hashOf, ID_BYTES, type Id } from "./ids.ts";

export type BlobType = "data" | "tree";

/** One blob in a pack. */
export interface PackedBlob {
  /** SHA-256 of the contents. */
  id: Id;
  type: BlobType;
  /** Bytes from the start of the pack. */
  offset: number;
  /** Bytes as stored: compressed, sealed. */
  length: number;
  /** Bytes of the contents. Absent when they are not compressed. */
  uncompressedLength?: number;
}

const MIB = 1024 * 1024;
/** A pack is finished when it has so many bytes, as restic does it. */
export const PACK_BYTES = 16 * MIB;
/**
 * Memory of a pack. What is not filled takes none, and above 32 MiB glibc gives it back to the system as soon as it is freed, instead of keeping
 * it among the small pieces of a thread. In bytes.
 */
export const PACK_MEMORY_BYTES = 33 * MIB;
/** Room behind that for the last blob, the header and its length. */
const PACK_ROOM = 9 * MIB;
/** restic reads no header that is longer, in bytes. */
const HEADER_BYTES_MAX = 16 * MIB;
const LENGTH_BYTES = 4;
/** Type, stored length, id; of compressed blobs also the length of the contents. */
const ENTRY_BYTES = 1 + 4 + ID_BYTES;
const COMPRESSED_ENTRY_BYTES = ENTRY_BYTES + 4;
/** Even when every blob of a pack is compressed, so many fit into a header. */
const BLOBS_MAX = Math.floor((HEADER_BYTES_MAX - SEAL_OVERHEAD) / COMPRESSED_ENTRY_BYTES);

/** First byte of an entry in a header. */
const KINDS: readonly { type: BlobType; compressed: boolean }[] = [
  { type: "data", compressed: false },
  { type: "tree", compressed: false },
  { type: "data", compressed: true },
  { type: "tree", compressed: true },
];

export interface FinishedPack {
  id: Id;
  /** The whole pack, header included. */
  bytes: Uint8Array;
  blobs: PackedBlob[];
}

/** Puts blobs of one type into a pack. One that is `finish`ed cannot be filled again. */
export class PackBuilder {
  readonly #cipher: Cipher;
  readonly #type: BlobType;
  readonly #capacity: number;
  readonly #blobs: PackedBlob[] = [];
  #memory: Buffer;
  #used = 0;

  /**
   * @param capacity Bytes from which on the pack is `full`.
   * @param memory Of an earlier pack that is free again, or shared between threads. A pack that outgrows it gets larger memory of the same kind.
   */
  constructor(cipher: Cipher, type: BlobType, capacity: number = PACK_BYTES, memory?: ArrayBufferLike) {
    this.#cipher = cipher;
    this.#type = type;
    this.#capacity = capacity;
    this.#memory = Buffer.from(memory ?? new ArrayBuffer(capacity + PACK_ROOM));
  }

  /** Bytes of the blobs so far. */
  get bytes(): number {
    return this.#used;
  }

  get blobs(): readonly PackedBlob[] {
    return this.#blobs;
  }

  get full(): boolean {
    return this.#used >= this.#capacity || this.#blobs.length >= BLOBS_MAX;
  }

  /**
   * Compresses contents when that helps, seals them and puts them behind the others.
   *
   * @param level Of zstd. 0 leaves the contents as they are, which version 1 of the format asks for. Trees are compressed in any case otherwise,
   *   since restic's `prune` packs those again that are not.
   * @param quick Compresses in half the time what is not expected to become much smaller.
   */
  add(id: Id, plain: Uint8Array, level: CompressionLevel, quick = false): PackedBlob {
    if (plain.length === 0) throw new RangeError("An empty file has no blob");
    const compressed = level === 0 ? undefined : compress(plain, level, quick);
    const helps = compressed !== undefined && (this.#type === "tree" || compressed.length < plain.length);
    const stored = helps ? compressed : plain;
    this.#makeRoom(stored.length + SEAL_OVERHEAD);
    const length = this.#cipher.sealInto(stored, this.#memory, this.#used);
    return this.#append({
      id,
      type: this.#type,
      offset: this.#used,
      length,
      ...(helps ? { uncompressedLength: plain.length } : {}),
    });
  }

  /** Puts a blob of another pack behind the others, as it is. */
  addSealed(blob: PackedBlob, sealed: Uint8Array): PackedBlob {
    if (blob.type !== this.#type) throw new RangeError(`A ${blob.type} blob does not belong into a pack of ${this.#type}`);
    if (blob.length !== sealed.length) throw new RangeError(`Blob ${blob.id} has ${sealed.length} bytes instead of ${blob.length}`);
    this.#makeRoom(sealed.length);
    this.#memory.set(sealed, this.#used);
    return this.#append({ ...blob, offset: this.#used });
  }

  finish(): FinishedPack {
    const header = encodeHeader(this.#blobs);
    this.#makeRoom(header.length + SEAL_OVERHEAD + LENGTH_BYTES);
    const sealed = this.#cipher.sealInto(header, this.#memory, this.#used);
    const end = this.#memory.writeUInt32LE(sealed, this.#used + sealed);
    const bytes = new Uint8Array(this.#memory.buffer, 0, end);
    return { id: hashOf(bytes), bytes, blobs: [...this.#blobs] };
  }

  #append(blob: PackedBlob): PackedBlob {
    this.#blobs.push(blob);
    this.#used += blob.length;
    return blob;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed <= this.#memory.length) return;
    const shared = this.#memory.buffer instanceof SharedArrayBuffer;
    const larger = Buffer.from(shared ? new SharedArrayBuffer(needed + PACK_ROOM) : new ArrayBuffer(needed + PACK_ROOM));
    this.#memory.copy(larger, 0, 0, this.#used);
    this.#memory = larger;
  }
}

function encodeHeader(blobs: readonly PackedBlob[]): Buffer {
  const header = Buffer.allocUnsafe(blobs.reduce((sum, blob) => sum + entryBytes(blob), 0));
  let at = 0;
  for (const { id, type, length, uncompressedLength } of blobs) {
    const compressed = uncompressedLength !== undefined;
    at = header.writeUInt8(
      KINDS.findIndex((kind) => kind.type === type && kind.compressed === compressed),
      at,
    );
    at = header.writeUInt32LE(length, at);
    if (compressed) at = header.writeUInt32LE(uncompressedLength, at);
    at += header.write(id, at, "hex");
  }
  return header;
}

const entryBytes = (blob: PackedBlob) => (blob.uncompressedLength === undefined ? ENTRY_BYTES : COMPRESSED_ENTRY_BYTES);

/** Bytes that a pack of these blobs has, header included. A pack of another length holds something else. */
export function packBytes(blobs: readonly PackedBlob[]): number {
  return blobs.reduce((sum, blob) => sum + blob.length + entryBytes(blob), SEAL_OVERHEAD + LENGTH_BYTES);
}

/** Length of a pack's sealed header, from the last 4 bytes of the pack. It stands right before them. @throws CorruptError */
export function headerLength(tail: Uint8Array, packLength: number, what: string): number {
  if (tail.length < LENGTH_BYTES) throw new CorruptError(what, `it has ${tail.length} bytes`);
  const length = Buffer.from(tail.buffer, tail.byteOffset, tail.length).readUInt32LE(tail.length - LENGTH_BYTES);
  const largest = Math.min(HEADER_BYTES_MAX, packLength - LENGTH_BYTES);
  if (length < SEAL_OVERHEAD + ENTRY_BYTES || length > largest) {
    throw new CorruptError(what, `its header claims ${length} bytes of ${packLength}`);
  }
  return length;
}

/** The blobs of a pack, from its sealed header. @throws CorruptError */
export function parsePackHeader(cipher: Cipher, header: Uint8Array, what: string): PackedBlob[] {
  const plain = cipher.open(header, what);
  const blobs: PackedBlob[] = [];
  let offset = 0;
  for (let at = 0; at < plain.length; ) {
    const kind = KINDS[plain.readUInt8(at)];
    if (kind === undefined) throw new CorruptError(what, `its header has a blob of the unknown type ${plain[at]}`);
    const size = kind.compressed ? COMPRESSED_ENTRY_BYTES : ENTRY_BYTES;
    if (at + size > plain.length) throw new CorruptError(what, "its header ends in the middle of a blob");
    const length = plain.readUInt32LE(at + 1);
    if (length < SEAL_OVERHEAD) throw new CorruptError(what, `its header has a blob of ${length} bytes`);
    blobs.push({
      id: plain.toString("hex", at + size - ID_BYTES, at + size),
      type: kind.type,
      offset,
      length,
      ...(kind.compressed ? { uncompressedLength: plain.readUInt32LE(at + 5) } : {}),
    });
    offset += length;
    at += size;
  }
  return blobs;
}
