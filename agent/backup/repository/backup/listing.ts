import { type BigIntStats, constants } from "node:fs";
import type { NodeType } from "../format/tree.ts";

/**
 * What the operating system tells of a folder's entries, as bytes: one record an entry, in the order of the names' bytes. A folder of
 * 100,000 files is one buffer of some 10 MB instead of as many objects, and two looks at a folder are compared by one `equals`.
 *
 * A record: u16 length of the name, u16 zero, u32 mode, u32 uid, u32 gid, u32 links, u32 zero, u64 size, i64 mtime, i64 ctime (both in
 * nanoseconds), u64 inode, u64 device, u64 device number, then the name. Little-endian.
 */
const FIXED_BYTES = 72;
const MODE_AT = 4;
const UID_AT = 8;
const GID_AT = 12;
const LINKS_AT = 16;
const SIZE_AT = 24;
const MTIME_AT = 32;
const CTIME_AT = 40;
const INODE_AT = 48;
const DEVICE_AT = 56;
const RDEV_AT = 64;
/** What tells whether a file is the one that was read: size, mtime, ctime, inode. */
const IDENTITY_END = DEVICE_AT;

const BUILDER_BYTES = 64 * 1024;
const U32_MAX = 0xffff_ffff;

/** What a record holds of an entry, as Node names it. */
export type EntryStats = Pick<BigIntStats, "mode" | "uid" | "gid" | "nlink" | "size" | "mtimeNs" | "ctimeNs" | "ino" | "dev" | "rdev">;

/** Length of what `statsRecord` answers, in bytes. */
export const STATS_BYTES = FIXED_BYTES;

/** The stats of one entry as bytes, without a name: what a thread sends back of a file that it read. @param record zeros that become it */
export function statsRecord(stats: EntryStats, record: Buffer = Buffer.alloc(STATS_BYTES)): Buffer {
  writeStats(record, 0, stats);
  return record;
}

function writeStats(target: Buffer, at: number, stats: EntryStats): void {
  target.writeUInt32LE(Number(stats.mode) >>> 0, at + MODE_AT);
  target.writeUInt32LE(Number(stats.uid) >>> 0, at + UID_AT);
  target.writeUInt32LE(Number(stats.gid) >>> 0, at + GID_AT);
  target.writeUInt32LE(Math.min(Number(stats.nlink), U32_MAX), at + LINKS_AT);
  target.writeUInt32LE(0, at + LINKS_AT + 4);
  // Node answers all of them as signed numbers, an inode of ReFS above 2^63 too.
  target.writeBigInt64LE(BigInt.asIntN(64, stats.size), at + SIZE_AT);
  target.writeBigInt64LE(BigInt.asIntN(64, stats.mtimeNs), at + MTIME_AT);
  target.writeBigInt64LE(BigInt.asIntN(64, stats.ctimeNs), at + CTIME_AT);
  target.writeBigInt64LE(BigInt.asIntN(64, stats.ino), at + INODE_AT);
  target.writeBigInt64LE(BigInt.asIntN(64, stats.dev), at + DEVICE_AT);
  target.writeBigInt64LE(BigInt.asIntN(64, stats.rdev), at + RDEV_AT);
}

/** Puts records together. Names must come in the order of their bytes. One builder serves many folders, one after another. */
export class ListingBuilder {
  #buffer = Buffer.allocUnsafe(BUILDER_BYTES);
  #length = 0;

  add(name: Buffer, stats: EntryStats): void {
    const bytes = FIXED_BYTES + name.length;
    while (this.#length + bytes > this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer, this.#buffer]);
    this.#buffer.writeUInt16LE(name.length, this.#length);
    this.#buffer.writeUInt16LE(0, this.#length + 2);
    writeStats(this.#buffer, this.#length, stats);
    name.copy(this.#buffer, this.#length + FIXED_BYTES);
    this.#length += bytes;
  }

  /** The listing, and an empty builder again. */
  finish(): Listing {
    const bytes = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return new Listing(bytes);
  }
}

/** Records of a folder, read in place. Entries have numbers from 0. */
export class Listing {
  readonly bytes: Buffer;
  readonly #starts: Uint32Array;

  /** @throws RangeError when the bytes are not a listing. */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
    let count = 0;
    for (let at = 0; at < bytes.length; at += FIXED_BYTES + bytes.readUInt16LE(at)) count += 1;
    this.#starts = new Uint32Array(count + 1);
    let at = 0;
    for (let entry = 0; entry < count; entry += 1) {
      this.#starts[entry] = at;
      at += FIXED_BYTES + bytes.readUInt16LE(at);
    }
    if (at !== bytes.length) throw new RangeError("The bytes of a listing end in the middle of a record");
    this.#starts[count] = at;
  }

  get count(): number {
    return this.#starts.length - 1;
  }

  equals(other: Listing): boolean {
    return this.bytes.equals(other.bytes);
  }

  name(entry: number): Buffer {
    return this.bytes.subarray(this.#start(entry) + FIXED_BYTES, this.#start(entry + 1));
  }

  mode(entry: number): number {
    return this.bytes.readUInt32LE(this.#start(entry) + MODE_AT);
  }

  type(entry: number): NodeType | null {
    return typeOf(this.mode(entry));
  }

  uid(entry: number): number {
    return this.bytes.readUInt32LE(this.#start(entry) + UID_AT);
  }

  gid(entry: number): number {
    return this.bytes.readUInt32LE(this.#start(entry) + GID_AT);
  }

  links(entry: number): number {
    return this.bytes.readUInt32LE(this.#start(entry) + LINKS_AT);
  }

  size(entry: number): bigint {
    return this.bytes.readBigUInt64LE(this.#start(entry) + SIZE_AT);
  }

  mtimeNs(entry: number): bigint {
    return this.bytes.readBigInt64LE(this.#start(entry) + MTIME_AT);
  }

  ctimeNs(entry: number): bigint {
    return this.bytes.readBigInt64LE(this.#start(entry) + CTIME_AT);
  }

  inode(entry: number): bigint {
    return this.bytes.readBigUInt64LE(this.#start(entry) + INODE_AT);
  }

  device(entry: number): bigint {
    return this.bytes.readBigUInt64LE(this.#start(entry) + DEVICE_AT);
  }

  deviceNumber(entry: number): bigint {
    return this.bytes.readBigUInt64LE(this.#start(entry) + RDEV_AT);
  }

  /** Number of the entry of that name, or -1. */
  find(name: Buffer): number {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.name(middle).compare(name);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** True when nothing tells that an entry was touched since the other listing: same type, size, mtime, ctime and inode. */
  sameEntry(entry: number, other: Listing, otherEntry: number): boolean {
    const at = this.#start(entry);
    const otherAt = other.#start(otherEntry);
    if ((this.mode(entry) & constants.S_IFMT) !== (other.mode(otherEntry) & constants.S_IFMT)) return false;
    return this.bytes.compare(other.bytes, otherAt + SIZE_AT, otherAt + IDENTITY_END, at + SIZE_AT, at + IDENTITY_END) === 0;
  }

  /** Same size, mtime and inode. For files of which somebody else may only touch the owner. */
  sameButCtime(entry: number, other: Listing, otherEntry: number): boolean {
    const at = this.#start(entry);
    const otherAt = other.#start(otherEntry);
    const same = (from: number, to: number) => this.bytes.compare(other.bytes, otherAt + from, otherAt + to, at + from, at + to) === 0;
    return same(SIZE_AT, CTIME_AT) && same(INODE_AT, IDENTITY_END);
  }

  /** Nothing tells that an entry was touched between this look and the one of a record. */
  sameStats(entry: number, record: Uint8Array): boolean {
    const at = this.#start(entry);
    return this.bytes.compare(record, SIZE_AT, IDENTITY_END, at + SIZE_AT, at + IDENTITY_END) === 0;
  }

  /** Same inode of the same device as a text, to find files that have several names. */
  fileKey(entry: number): string {
    const at = this.#start(entry);
    return this.bytes.toString("latin1", at + INODE_AT, at + RDEV_AT);
  }

  /** Replaces the stats of an entry by those of a later look. */
  update(entry: number, record: Uint8Array): void {
    if (record.length !== FIXED_BYTES) throw new RangeError("A record of stats has another length");
    const at = this.#start(entry);
    this.bytes.set(record.subarray(MODE_AT), at + MODE_AT);
  }

  /** Makes an entry differ from whatever a later look will find, so that the file is read again then. */
  forget(entry: number): void {
    this.bytes.writeBigInt64LE(0n, this.#start(entry) + CTIME_AT);
    this.bytes.writeBigInt64LE(0n, this.#start(entry) + INODE_AT);
  }

  #start(entry: number): number {
    const start = this.#starts[entry];
    if (start === undefined) throw new RangeError(`A listing of ${this.count} entries has no entry ${entry}`);
    return start;
  }
}

/** What kind of node a mode of the operating system means, or null for none that the format knows. */
export function typeOf(mode: number): NodeType | null {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return "file";
    case constants.S_IFDIR:
      return "dir";
    case constants.S_IFLNK:
      return "symlink";
    case constants.S_IFBLK ?? 0o060000:
      return "dev";
    case constants.S_IFCHR:
      return "chardev";
    case constants.S_IFIFO ?? 0o010000:
      return "fifo";
    case constants.S_IFSOCK ?? 0o140000:
      return "socket";
    default:
      return null;
  }
}

const TYPE_BITS: Record<NodeType, number> = {
  file: 0o100000,
  dir: 0o040000,
  symlink: 0o120000,
  dev: 0o060000,
  chardev: 0o020000,
  fifo: 0o010000,
  socket: 0o140000,
};

/** A mode of the operating system of a node's type and permission bits. */
export function modeOf(type: NodeType, permissions: number): number {
  return TYPE_BITS[type] | permissions;
}
