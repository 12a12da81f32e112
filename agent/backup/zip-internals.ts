import type { ZipArchive } from "archiver";

/**
 * The one place that reaches below archiver's public face, into zip-stream and compress-commons (archiver 8.0, zip-stream 7.0,
 * compress-commons 7.0). Five things need it, for which there is no call:
 *
 * 1. Names. archiver rewrites them: `a\b` becomes `a/b` and `c:x` becomes `x`, so that two files could become one entry.
 *    An archive of ours carries the name that the file has.
 * 2. Times. A zip entry has local time in steps of 2 s; the "extended timestamp" field beside it has UTC seconds.
 * 3. Replacing. A file that was read again takes the place of its first copy: the first one is dropped from the list that the central
 *    directory is written from. Its bytes stay in the archive as a gap, which readers skip, since they go by the directory.
 * 4. Memory. Each field of a header is written as a chunk of its own, and small entries are written without waiting for the
 *    reader. Headers are gathered into one chunk each, and `drained` lets the writer wait.
 * 5. ZIP64. The old end record must say "see the 64-bit one" only where a number does not fit. compress-commons says so everywhere,
 *    and 7-Zip 16 then refuses archives above 4 GB with "Headers Error" (archiver's issues 325 and 371).
 *
 * `zip-writer.test.ts` unpacks the results with 7-Zip and yauzl. When a new version moves these parts, `takeHold` throws.
 */
export interface ZipInternals {
  /** Says how the entry that is appended next is really called, and when it was changed (milliseconds since the epoch). */
  prepare(name: string, mtime: number): void;
  /** The entry that was prepared last, as compress-commons keeps it. */
  current(): ZipEntryRecord;
  /** Leaves an entry out of the central directory. */
  drop(entry: ZipEntryRecord): void;
  /** Resolves when the bytes written so far have been taken by the reader, down to the usual buffers. */
  drained(): Promise<void>;
}

/** What compress-commons keeps of an entry until it writes the central directory. */
export interface ZipEntryRecord {
  name: string;
  getGeneralPurposeBit(): { useUTF8ForNames(use: boolean): void };
  getExtra(): Buffer;
  getSize(): number;
  getCompressedSize(): number;
  isZip64(): boolean;
  getLocalFileDataExtra(): Buffer;
  getCentralDirectoryExtra(): Buffer;
}

type Write = (chunk: Buffer | string, done?: () => void) => boolean;

interface ZipEngine {
  _entries: ZipEntryRecord[];
  _normalizeEntry(entry: ZipEntryRecord): void;
  _archive: { centralLength: number; centralOffset: number };
  /** Bytes written so far, from which the offsets in the directory come. */
  offset: number;
  write: Write;
  writableNeedDrain: boolean;
  once(event: "drain", listener: () => void): void;
}

/** The methods of compress-commons that write a header field by field. */
const HEADER_METHODS = [
  "_writeLocalFileHeader",
  "_writeDataDescriptor",
  "_writeCentralFileHeader",
  "_writeCentralDirectoryZip64",
  "_writeCentralDirectoryEnd",
] as const;
const U16_MAX = 0xffff;
const U32_MAX = 0xffffffff;
const END_RECORD = "_writeCentralDirectoryEnd";

/** Takes hold of an archive before its first entry. */
export function takeHold(archive: ZipArchive): ZipInternals {
  const engine = engineOf(archive);
  for (const method of HEADER_METHODS) gather(engine, method, method === END_RECORD ? (record) => fillIn(record, engine) : undefined);

  let next: { name: string; extra: Buffer } | undefined;
  let current: ZipEntryRecord | undefined;
  const normalize = engine._normalizeEntry.bind(engine);
  engine._normalizeEntry = (entry) => {
    normalize(entry);
    if (next === undefined) throw new Error("an entry was appended that was not prepared");
    const { name, extra } = next;
    next = undefined;
    current = entry;
    entry.name = name;
    if (Buffer.byteLength(name) !== name.length) entry.getGeneralPurposeBit().useUTF8ForNames(true);
    // A size of exactly 4 GiB - 1 (the largest file on FAT32) would read as "see the 64-bit size".
    entry.isZip64 = () => Math.max(entry.getSize(), entry.getCompressedSize()) >= U32_MAX;
    entry.getLocalFileDataExtra = () => extra;
    // By then `getExtra` holds the 64-bit sizes, if the entry needs them.
    entry.getCentralDirectoryExtra = () => Buffer.concat([entry.getExtra(), extra]);
  };

  return {
    prepare(name, mtime) {
      next = { name, extra: extendedTimestamp(mtime) };
    },
    current() {
      if (current === undefined) throw new Error("no entry has been appended yet");
      return current;
    },
    drop(entry) {
      const at = engine._entries.indexOf(entry);
      if (at === -1) throw new Error(`the archive has no entry ${entry.name} to drop`);
      engine._entries.splice(at, 1);
    },
    async drained() {
      if (engine.writableNeedDrain) await new Promise<void>((resolve) => engine.once("drain", resolve));
    },
  };
}

function engineOf(archive: ZipArchive): ZipEngine {
  const engine = (archive as unknown as { _module?: { engine?: Partial<ZipEngine> & Record<string, unknown> } })._module?.engine;
  const known =
    Array.isArray(engine?._entries) &&
    typeof engine._normalizeEntry === "function" &&
    typeof engine.write === "function" &&
    typeof engine.offset === "number" &&
    typeof engine._archive?.centralLength === "number" &&
    HEADER_METHODS.every((method) => typeof engine[method] === "function");
  if (!known) throw new Error("this version of archiver is built differently: see zip-internals.ts");
  return engine as unknown as ZipEngine;
}

/** Makes a header method write once what it would write field by field, after `change` had a look at it. */
function gather(engine: ZipEngine, method: (typeof HEADER_METHODS)[number], change?: (header: Buffer) => void): void {
  const methods = engine as unknown as Record<string, (...given: unknown[]) => unknown>;
  const original = methods[method]?.bind(engine);
  if (original === undefined) throw new Error(`compress-commons has no ${method}`);
  methods[method] = (...given) => {
    const { write } = engine;
    const start = engine.offset;
    const fields: Buffer[] = [];
    engine.write = (chunk) => {
      const bytes = Buffer.from(chunk);
      engine.offset += bytes.length;
      fields.push(bytes);
      return true;
    };
    try {
      original(...given);
    } finally {
      engine.write = write;
    }
    // `write` counts the bytes itself.
    engine.offset = start;
    const header = Buffer.concat(fields);
    change?.(header);
    if (header.length > 0) engine.write.call(engine, header);
  };
}

/** Puts the true numbers into the end record, as far as they fit (APPNOTE 4.3.16; the largest value means "see the 64-bit one"). */
function fillIn(record: Buffer, { _entries, _archive }: ZipEngine): void {
  const entries = Math.min(_entries.length, U16_MAX);
  record.writeUInt16LE(entries, 8);
  record.writeUInt16LE(entries, 10);
  record.writeUInt32LE(Math.min(_archive.centralLength, U32_MAX), 12);
  record.writeUInt32LE(Math.min(_archive.centralOffset, U32_MAX), 16);
}

/** Seconds since the epoch must fit 32 bits with a sign; a time beyond gets no field, and readers fall back to the entry's own. */
const SECONDS_MAX = 2 ** 31 - 1;

/** Extra field 0x5455 with the time of the last change (Info-ZIP's `extrafld.txt`). */
function extendedTimestamp(mtime: number): Buffer {
  const seconds = Math.floor(mtime / 1000);
  if (Math.abs(seconds) > SECONDS_MAX) return Buffer.alloc(0);
  const field = Buffer.alloc(9);
  field.writeUInt16LE(0x5455, 0);
  field.writeUInt16LE(5, 2);
  field.writeUInt8(1, 4);
  field.writeInt32LE(seconds, 5);
  return field;
}
