import { mkdirSync, rmSync } from "node:fs";
import { dirname, sep } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { BUSY_TIMEOUT_MS, isBusy, loadSqlite, transaction } from "../../../state/sqlite.ts";
import { ID_BYTES, type Id } from "../format/ids.ts";
import type { IndexedPack } from "../format/index-file.ts";
import type { PackedBlob } from "../format/pack.ts";
import { Contents, rawIds } from "./contents.ts";
import type { Previous } from "./folder.ts";
import { Listing } from "./listing.ts";
import type { PathBytes } from "./paths.ts";

/** Raised whenever the tables change: an index of another version is thrown away and filled again. */
const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE folders (root TEXT NOT NULL, path BLOB NOT NULL, listing BLOB NOT NULL, contents BLOB NOT NULL, tree BLOB NOT NULL, PRIMARY KEY (root, path));
  CREATE TABLE packs (id TEXT PRIMARY KEY, bytes INTEGER NOT NULL, blobs BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`;
const SEPARATOR = Buffer.from(sep);
/** Folders are written together, in bytes of their rows, so that no transaction is long. */
const BATCH_BYTES = 1024 * 1024;

/** SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN (sqlite.org/rescode.html). Extended codes carry them in the low byte. */
const REFUSED = new Set([8, 10, 13, 14]);
const PRIMARY_BITS = 0xff;

interface FolderRow {
  root: string;
  path: PathBytes;
  listing: Buffer;
  contents: Buffer;
  tree: Buffer;
}

/** A pack that was begun to be stored, and which no index file names yet. */
export interface JournaledPack extends IndexedPack {
  /** Length of the whole pack. */
  bytes: number;
}

/**
 * What this host remembers of its backups to one repository, in one SQLite file: each folder as it was found last, and packs that were
 * stored but not indexed yet. Nothing depends on it but speed: one that is damaged is thrown away, and `onLost` told.
 */
export class FileIndex {
  readonly #file: string;
  readonly #onLost: (why: string) => void;
  #db: DatabaseSync | null;
  #rows: FolderRow[] = [];
  #rowBytes = 0;

  constructor(file: string, onLost: (why: string) => void) {
    this.#file = file;
    this.#onLost = onLost;
    this.#db = null;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#db = this.#open();
  }

  /** A folder as the last backup that saw it found it. */
  folder(root: string, path: PathBytes): Previous | null {
    const row = this.#try((db) => db.prepare("SELECT listing, contents, tree FROM folders WHERE root = ? AND path = ?").get(root, path));
    if (row === undefined) return null;
    try {
      const listing = new Listing(bufferOf(row.listing));
      return { listing, contents: new Contents(bufferOf(row.contents), listing.count), tree: bufferOf(row.tree) };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#lose(error.message);
      return null;
    }
  }

  saveFolder(row: FolderRow): void {
    this.#rows.push(row);
    this.#rowBytes += row.path.length + row.listing.length + row.contents.length;
    if (this.#rowBytes >= BATCH_BYTES) this.#write();
  }

  /** A folder is gone, with everything below it. */
  removeFolder(root: string, path: PathBytes): void {
    const below = Buffer.concat([path, SEPARATOR]);
    // In the order of bytes, what follows the separator follows everything below.
    const after = Buffer.concat([path, Buffer.of((SEPARATOR[0] ?? 0) + 1)]);
    this.#try((db) =>
      db.prepare("DELETE FROM folders WHERE root = ? AND (path = ? OR (path > ? AND path < ?))").run(root, path, below, after),
    );
  }

  /** A pack is about to be stored. */
  packBegun(pack: JournaledPack): void {
    this.#try((db) =>
      db.prepare("INSERT OR REPLACE INTO packs (id, bytes, blobs) VALUES (?, ?, ?)").run(pack.id, pack.bytes, encodeBlobs(pack.blobs)),
    );
  }

  /** An index file names these packs, or they are not there. */
  packsEnded(ids: readonly Id[]): void {
    this.#try((db) =>
      transaction(db, () => {
        const statement = db.prepare("DELETE FROM packs WHERE id = ?");
        for (const id of ids) statement.run(id);
      }),
    );
  }

  /** Packs that a run which did not come to its end has stored, maybe. */
  begunPacks(): JournaledPack[] {
    const rows = this.#try((db) => db.prepare("SELECT id, bytes, blobs FROM packs").all()) ?? [];
    return rows.map(({ id, bytes, blobs }) => ({ id: String(id), bytes: Number(bytes), blobs: decodeBlobs(bufferOf(blobs)) }));
  }

  fact(name: string): string | null {
    const row = this.#try((db) => db.prepare("SELECT value FROM facts WHERE name = ?").get(name));
    return row === undefined ? null : String(row.value);
  }

  setFact(name: string, value: string): void {
    this.#try((db) => db.prepare("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)").run(name, value));
  }

  /** Whether it keeps what it is given: not since it was lost. */
  get usable(): boolean {
    return this.#db !== null;
  }

  close(): void {
    this.#write();
    this.#db?.close();
    this.#db = null;
  }

  #write(): void {
    const rows = this.#rows;
    this.#rows = [];
    this.#rowBytes = 0;
    if (rows.length === 0) return;
    this.#try((db) =>
      transaction(db, () => {
        const statement = db.prepare("INSERT OR REPLACE INTO folders (root, path, listing, contents, tree) VALUES (?, ?, ?, ?, ?)");
        for (const { root, path, listing, contents, tree } of rows) statement.run(root, path, listing, contents, tree);
      }),
    );
  }

  #open(): DatabaseSync | null {
    try {
      return openDatabase(this.#file);
    } catch (error) {
      if (!isSqlite(error)) throw error;
      this.#onLost(error.message);
      // Another run works with it, or its disk is full: it is as good as it was, and this run goes without.
      if (isBusy(error) || isRefused(error)) return null;
    }
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${this.#file}${suffix}`, { force: true });
    try {
      return openDatabase(this.#file);
    } catch (error) {
      if (!isSqlite(error)) throw error;
      return null;
    }
  }

  /** Undefined when the file cannot be used: from there on the run goes without it. */
  #try<T>(work: (db: DatabaseSync) => T): T | undefined {
    if (this.#db === null) return undefined;
    try {
      return work(this.#db);
    } catch (error) {
      if (!isSqlite(error)) throw error;
      this.#lose(error.message);
      return undefined;
    }
  }

  #lose(why: string): void {
    this.#onLost(why);
    this.#db?.close();
    this.#db = null;
  }
}

function openDatabase(file: string): DatabaseSync {
  const { DatabaseSync } = loadSqlite();
  const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    // Nothing is lost but speed when the host loses power.
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    transaction(db, () => {
      const version = db.prepare("PRAGMA user_version").get()?.user_version;
      if (version === SCHEMA_VERSION) return;
      db.exec("DROP TABLE IF EXISTS folders; DROP TABLE IF EXISTS packs; DROP TABLE IF EXISTS facts");
      db.exec(SCHEMA);
      db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    });
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function isSqlite(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}

/** The operating system refuses to write, or has no room; the file itself may be whole. */
function isRefused(error: Error): boolean {
  return "errcode" in error && typeof error.errcode === "number" && REFUSED.has(error.errcode & PRIMARY_BITS);
}

function bufferOf(value: unknown): Buffer {
  if (!(value instanceof Uint8Array)) throw new RangeError("A row of the file index holds no bytes");
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Type, offset, stored length, length of the contents (0: not compressed), id. */
const BLOB_BYTES = 1 + 4 + 4 + 4 + ID_BYTES;

function encodeBlobs(blobs: readonly PackedBlob[]): Buffer {
  const bytes = Buffer.alloc(blobs.length * BLOB_BYTES);
  for (const [at, { type, offset, length, uncompressedLength, id }] of blobs.entries()) {
    const start = at * BLOB_BYTES;
    bytes.writeUInt8(type === "tree" ? 1 : 0, start);
    bytes.writeUInt32LE(offset, start + 1);
    bytes.writeUInt32LE(length, start + 5);
    bytes.writeUInt32LE(uncompressedLength ?? 0, start + 9);
    rawIds([id]).copy(bytes, start + 13);
  }
  return bytes;
}

function decodeBlobs(bytes: Buffer): PackedBlob[] {
  return Array.from({ length: Math.floor(bytes.length / BLOB_BYTES) }, (_, at) => {
    const start = at * BLOB_BYTES;
    const uncompressedLength = bytes.readUInt32LE(start + 9);
    return {
      type: bytes.readUInt8(start) === 1 ? "tree" : "data",
      offset: bytes.readUInt32LE(start + 1),
      length: bytes.readUInt32LE(start + 5),
      ...(uncompressedLength > 0 && { uncompressedLength }),
      id: bytes.toString("hex", start + 13, start + BLOB_BYTES),
    };
  });
}
