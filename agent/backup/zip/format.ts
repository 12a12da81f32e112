/** How the content of an entry is kept (APPNOTE 4.4.5). */
export const METHOD = { stored: 0, deflated: 8 } as const;
export type Method = (typeof METHOD)[keyof typeof METHOD];

export type EntryType = "file" | "directory" | "symlink";

/** What an archive says of an entry before its content. */
export interface ZipItem {
  type: EntryType;
  /** As the file is called, with `/`, whatever else stands in it; without one at the end of a folder's. At most PATH_BYTES_MAX in UTF-8. */
  path: string;
  /** Milliseconds since the epoch. */
  mtime: number;
  /** Permission bits. */
  mode: number;
}

/** What it says of its content. */
export interface ZipContent {
  method: Method;
  crc: number;
  /** Bytes of the content, and as they are kept. */
  size: number;
  packed: number;
}

/**
 * How an entry is written whose content is not known yet: sizes and checksum come after it in a data descriptor. `wide` ones have 64 bits
 * for each size, which has to be said beforehand.
 */
export interface Streamed {
  wide: boolean;
}

/** The path of an entry has 16 bits for its length, and a folder's gets a `/` at its end. In bytes. */
export const PATH_BYTES_MAX = 65_534;
const U16_MAX = 0xffff;
/** A number from here on stands in a 64-bit field, and the 32-bit one says so by its largest value. */
const U32_MAX = 0xffffffff;

const VERSION = { plain: 20, zip64: 45 } as const;
/** Upper byte: modes are those of Unix. */
const MADE_BY_UNIX = 3 << 8;
const FLAG = { descriptor: 1 << 3, utf8: 1 << 11 } as const;
const FILE_TYPE: Record<EntryType, number> = { file: 0o100000, directory: 0o040000, symlink: 0o120000 };
const DOS_FOLDER = 0x10;
const EXTRA_ZIP64 = 0x0001;
/** "Extended timestamp" (Info-ZIP's extrafld.txt): seconds since the epoch in UTC, where an entry itself has steps of 2 s. */
const EXTRA_TIME = 0x5455;
const HAS_MTIME = 1;
/** Seconds since the epoch must fit 32 bits with a sign; a time beyond gets no field, and readers fall back to the entry's own. */
const SECONDS_MAX = 2 ** 31 - 1;

/** Bytes of a local header. */
export function localHeaderBytes(item: ZipItem, streamed?: Streamed): number {
  return 30 + nameOf(item).length + (streamed?.wide ? 20 : 0) + timeField(item.mtime).length;
}

/** What stands before the content of an entry (APPNOTE 4.3.7). */
export function localHeader(item: ZipItem, content: ZipContent | Streamed): Buffer {
  const streamed = "wide" in content;
  const wide = streamed && content.wide;
  const name = nameOf(item);
  const extra = Buffer.concat([wide ? zip64Field([0, 0]) : NOTHING, timeField(item.mtime)]);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  writeCommon(header, 4, item, { method: streamed ? METHOD.deflated : content.method, streamed, wide });
  if (!streamed) header.writeUInt32LE(content.crc, 14);
  header.writeUInt32LE(streamed ? (wide ? U32_MAX : 0) : content.packed, 18);
  header.writeUInt32LE(streamed ? (wide ? U32_MAX : 0) : content.size, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

/** What stands after the content of a streamed entry (APPNOTE 4.3.9). */
export function dataDescriptor({ crc, size, packed }: ZipContent, { wide }: Streamed): Buffer {
  const descriptor = Buffer.alloc(wide ? 24 : 16);
  descriptor.writeUInt32LE(0x08074b50, 0);
  descriptor.writeUInt32LE(crc, 4);
  if (wide) {
    descriptor.writeBigUInt64LE(BigInt(packed), 8);
    descriptor.writeBigUInt64LE(BigInt(size), 16);
  } else {
    descriptor.writeUInt32LE(packed, 8);
    descriptor.writeUInt32LE(size, 12);
  }
  return descriptor;
}

/** An entry as the central directory names it (APPNOTE 4.3.12). `offset` is where its local header begins. */
export function centralHeader(item: ZipItem, content: ZipContent, offset: number, streamed?: Streamed): Buffer {
  const name = nameOf(item);
  const { size, packed } = content;
  const large = [size, packed, offset].filter((value) => value >= U32_MAX);
  const extra = Buffer.concat([large.length > 0 ? zip64Field(large) : NOTHING, timeField(item.mtime)]);
  const header = Buffer.alloc(46);
  const wide = large.length > 0 || streamed?.wide === true;
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(MADE_BY_UNIX | VERSION.zip64, 4);
  writeCommon(header, 6, item, { method: content.method, streamed: streamed !== undefined, wide });
  header.writeUInt32LE(content.crc, 16);
  header.writeUInt32LE(Math.min(packed, U32_MAX), 20);
  header.writeUInt32LE(Math.min(size, U32_MAX), 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt16LE(FILE_TYPE[item.type] | item.mode, 40);
  header.writeUInt16LE(item.type === "directory" ? DOS_FOLDER : 0, 38);
  header.writeUInt32LE(Math.min(offset, U32_MAX), 42);
  return Buffer.concat([header, name, extra]);
}

/**
 * What an archive ends with (APPNOTE 4.3.14 to 4.3.16), after a central directory of `bytes` bytes and `entries` entries that begins at
 * `offset`. The 64-bit records stand there only where a number needs them, and the old record keeps every number that fits it: 7-Zip 16
 * refuses archives where it says "see the 64-bit one" without need.
 */
export function endRecords({ entries, bytes, offset }: { entries: number; bytes: number; offset: number }): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, U16_MAX), 8);
  end.writeUInt16LE(Math.min(entries, U16_MAX), 10);
  end.writeUInt32LE(Math.min(bytes, U32_MAX), 12);
  end.writeUInt32LE(Math.min(offset, U32_MAX), 16);
  if (entries < U16_MAX && bytes < U32_MAX && offset < U32_MAX) return end;
  const wide = Buffer.alloc(56);
  wide.writeUInt32LE(0x06064b50, 0);
  wide.writeBigUInt64LE(44n, 4);
  wide.writeUInt16LE(MADE_BY_UNIX | VERSION.zip64, 12);
  wide.writeUInt16LE(VERSION.zip64, 14);
  wide.writeBigUInt64LE(BigInt(entries), 24);
  wide.writeBigUInt64LE(BigInt(entries), 32);
  wide.writeBigUInt64LE(BigInt(bytes), 40);
  wide.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + bytes), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([wide, locator, end]);
}

/** Whether a stream of at most so many bytes, kept or not, needs 64 bits for its sizes. Stored blocks add less than a 256th. */
export function streamedAs(sizeMax: number): Streamed {
  return { wide: sizeMax + sizeMax / 256 + 1024 >= U32_MAX };
}

const NOTHING = Buffer.alloc(0);

function nameOf({ type, path }: ZipItem): Buffer {
  return Buffer.from(type === "directory" ? `${path}/` : path, "utf8");
}

/** The fields that both headers share, from "version needed" to the time. */
function writeCommon(header: Buffer, at: number, item: ZipItem, how: { method: Method; streamed: boolean; wide: boolean }): void {
  const utf8 = Buffer.byteLength(item.path) !== item.path.length;
  const { date, time } = dosTime(item.mtime);
  header.writeUInt16LE(how.wide ? VERSION.zip64 : VERSION.plain, at);
  header.writeUInt16LE((how.streamed ? FLAG.descriptor : 0) | (utf8 ? FLAG.utf8 : 0), at + 2);
  header.writeUInt16LE(how.method, at + 4);
  header.writeUInt16LE(time, at + 6);
  header.writeUInt16LE(date, at + 8);
}

/**
 * Steps of 2 s from 1980 to 2107, the nearest outside. Meant to be local time; written in UTC, so that an archive does not depend on where it
 * is made. Readers of today go by the extended timestamp.
 */
function dosTime(mtime: number): { date: number; time: number } {
  const when = new Date(Math.min(Math.max(mtime, Date.UTC(1980, 0, 1)), Date.UTC(2107, 11, 31, 23, 59, 58)));
  return {
    date: ((when.getUTCFullYear() - 1980) << 9) | ((when.getUTCMonth() + 1) << 5) | when.getUTCDate(),
    time: (when.getUTCHours() << 11) | (when.getUTCMinutes() << 5) | (when.getUTCSeconds() >> 1),
  };
}

function timeField(mtime: number): Buffer {
  const seconds = Math.floor(mtime / 1000);
  if (Math.abs(seconds) > SECONDS_MAX) return NOTHING;
  const field = Buffer.alloc(9);
  field.writeUInt16LE(EXTRA_TIME, 0);
  field.writeUInt16LE(5, 2);
  field.writeUInt8(HAS_MTIME, 4);
  field.writeInt32LE(seconds, 5);
  return field;
}

function zip64Field(values: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(EXTRA_ZIP64, 0);
  field.writeUInt16LE(8 * values.length, 2);
  values.forEach((value, index) => {
    field.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  });
  return field;
}
