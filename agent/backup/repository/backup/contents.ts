import { ID_BYTES } from "../format/ids.ts";

/** What a backup stored for one entry of a folder. */
export interface EntryContent {
  /** Bytes that were stored, which is what a file had when it was read. */
  size: number;
  /** Raw ids, one after another: the blobs of a file, the one tree of a folder. */
  ids: Buffer;
  /** Where a symbolic link leads. */
  target?: Buffer;
  /** Not in the backup: it could not be read, or belongs to a database that was copied whole. */
  leftOut?: boolean;
  /** The file is an SQLite database. */
  database?: boolean;
  /** SQLite copied it, so that the file itself holds other bytes. */
  copied?: boolean;
}

const LEFT_OUT = 1;
const DATABASE = 2;
const LINK = 4;
const COPIED = 8;
/** u8 flags, u48 size, u32 length of what follows in bytes. */
const FIXED_BYTES = 11;
const SIZE_BYTES = 6;

export const NOTHING: EntryContent = { size: 0, ids: Buffer.alloc(0) };
export const LEFT_OUT_ENTRY: EntryContent = { ...NOTHING, leftOut: true };

/** The contents of all entries of a folder as bytes, in the order of its listing. */
export function encodeContents(entries: readonly EntryContent[]): Buffer {
  const bytes = entries.reduce((sum, { ids, target }) => sum + FIXED_BYTES + (target ?? ids).length, 0);
  const buffer = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { size, ids, target, leftOut, database, copied } of entries) {
    const tail = target ?? ids;
    buffer[at] = (leftOut ? LEFT_OUT : 0) | (database ? DATABASE : 0) | (target === undefined ? 0 : LINK) | (copied ? COPIED : 0);
    buffer.writeUIntLE(size, at + 1, SIZE_BYTES);
    buffer.writeUInt32LE(tail.length, at + 1 + SIZE_BYTES);
    tail.copy(buffer, at + FIXED_BYTES);
    at += FIXED_BYTES + tail.length;
  }
  return buffer;
}

/** Contents of a folder, read in place. */
export class Contents {
  readonly bytes: Buffer;
  readonly #starts: Uint32Array;

  /** @throws RangeError when the bytes are not the contents of so many entries. */
  constructor(bytes: Buffer, count: number) {
    this.bytes = bytes;
    this.#starts = new Uint32Array(count);
    let at = 0;
    for (let entry = 0; entry < count; entry += 1) {
      this.#starts[entry] = at;
      at += FIXED_BYTES + bytes.readUInt32LE(at + 1 + SIZE_BYTES);
    }
    if (at !== bytes.length) throw new RangeError("The contents of a folder have another length than its listing");
  }

  at(entry: number): EntryContent {
    const start = this.#start(entry);
    const flags = this.bytes.readUInt8(start);
    const tail = this.bytes.subarray(start + FIXED_BYTES, start + FIXED_BYTES + this.bytes.readUInt32LE(start + 1 + SIZE_BYTES));
    const link = (flags & LINK) !== 0;
    return {
      size: this.bytes.readUIntLE(start + 1, SIZE_BYTES),
      ids: link ? NOTHING.ids : tail,
      ...(link && { target: tail }),
      ...((flags & LEFT_OUT) !== 0 && { leftOut: true }),
      ...((flags & DATABASE) !== 0 && { database: true }),
      ...((flags & COPIED) !== 0 && { copied: true }),
    };
  }

  /** True when `known` says so of every id of an entry. Where an entry's raw ids lie, without making an object. */
  everyId(entry: number, known: (ids: Buffer, at: number) => boolean): boolean {
    const start = this.#start(entry);
    if ((this.bytes.readUInt8(start) & LINK) !== 0) return true;
    const first = start + FIXED_BYTES;
    const end = first + this.bytes.readUInt32LE(start + 1 + SIZE_BYTES);
    for (let at = first; at < end; at += ID_BYTES) {
      if (!known(this.bytes, at)) return false;
    }
    return true;
  }

  #start(entry: number): number {
    const start = this.#starts[entry];
    if (start === undefined) throw new RangeError(`These contents have no entry ${entry}`);
    return start;
  }
}

/** Raw ids as hex digits, as trees name them. */
export function idsOf(raw: Uint8Array): string[] {
  const buffer = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  const ids: string[] = [];
  for (let at = 0; at < buffer.length; at += ID_BYTES) ids.push(buffer.toString("hex", at, at + ID_BYTES));
  return ids;
}

export function rawIds(ids: readonly string[]): Buffer {
  return Buffer.from(ids.join(""), "hex");
}
