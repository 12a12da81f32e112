import { chmodSync, closeSync, openSync, rmSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import * as z from "zod/mini";
import { uploadId } from "../../schemas/index.ts";
import { loadSqlite } from "../state/sqlite.ts";

/** Another layout has another number; a file of another layout is as good as none. */
const VERSION = 1;

/** The last backup of a server, as its memory knows it. */
export const rememberedBackup = z.object({
  /** Which store it lies in, see `storeKey`. */
  store: z.string(),
  archive: z.string(),
  bytes: z.int(),
  upload: z.nullable(uploadId),
});
export type RememberedBackup = z.infer<typeof rememberedBackup>;

/** Something that was backed up. `stat` tells whether a file has been touched since it was known to have this content; null when unknown. */
export interface RememberedEntry {
  type: "file" | "directory" | "symlink" | "special";
  bytes: number | null;
  sha256: string | null;
  target: string | null;
  stat: string | null;
}

const entry = z.object({
  type: z.enum(["file", "directory", "symlink", "special"]),
  bytes: z.nullable(z.int()),
  sha256: z.nullable(z.string()),
  target: z.nullable(z.string()),
  stat: z.nullable(z.string()),
});
const path = z.object({ path: z.string() });

/**
 * What one backup held, in a small database of its own beside the agent's: found by path, whatever the order, with little memory however many
 * files there are. It can be lost: then the next backup is made although nothing has changed.
 */
export class ContentFile {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #select: StatementSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
    this.#insert = db.prepare("INSERT INTO entries (path, type, bytes, sha256, target, stat) VALUES (?, ?, ?, ?, ?, ?)");
    this.#select = db.prepare("SELECT type, bytes, sha256, target, stat FROM entries WHERE path = ?");
  }

  /** Begins an empty one. Everything goes into one transaction, which `finish` ends. */
  static create(file: string): ContentFile {
    rmSync(file, { force: true });
    const db = connect(file);
    db.exec(`
      PRAGMA journal_mode = OFF;
      PRAGMA user_version = ${VERSION};
      CREATE TABLE backup (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL) STRICT;
      CREATE TABLE entries (
        path TEXT PRIMARY KEY, type TEXT NOT NULL, bytes INTEGER, sha256 TEXT, target TEXT, stat TEXT
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE suspects (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
      BEGIN`);
    return new ContentFile(db);
  }

  /** Undefined when it is of another layout. Begins a transaction, for what is learned on the way. */
  static open(file: string): ContentFile | undefined {
    const db = connect(file);
    const version = db.prepare("PRAGMA user_version").get()?.user_version;
    if (version !== VERSION) {
      db.close();
      return undefined;
    }
    db.exec("BEGIN");
    return new ContentFile(db);
  }

  get backup(): RememberedBackup | undefined {
    const found = this.#db.prepare("SELECT body FROM backup").get();
    return found === undefined ? undefined : rememberedBackup.parse(JSON.parse(String(found.body)));
  }

  set backup(backup: RememberedBackup) {
    this.#db.prepare("INSERT OR REPLACE INTO backup (one, body) VALUES (1, ?)").run(JSON.stringify(backup));
  }

  get count(): number {
    return Number(this.#db.prepare("SELECT count(*) AS n FROM entries").get()?.n ?? 0);
  }

  add(name: string, { type, bytes, sha256, target, stat }: RememberedEntry): void {
    this.#insert.run(name, type, bytes, sha256, target, stat);
  }

  get(name: string): RememberedEntry | undefined {
    const found = this.#select.get(name);
    return found === undefined ? undefined : entry.parse(found);
  }

  /** Its content has to be looked at. */
  suspect(name: string): void {
    this.#db.prepare("INSERT OR IGNORE INTO suspects (path) VALUES (?)").run(name);
  }

  /** One file whose content has to be looked at. */
  nextSuspect(): string | undefined {
    const found = this.#db.prepare("SELECT path FROM suspects LIMIT 1").get();
    return found === undefined ? undefined : path.parse(found).path;
  }

  /** It has the remembered content, as of `stat`. */
  clear(name: string, stat: string | null): void {
    this.#db.prepare("DELETE FROM suspects WHERE path = ?").run(name);
    this.#db.prepare("UPDATE entries SET stat = ? WHERE path = ?").run(stat, name);
  }

  /** Keeps what was written, and closes the file. */
  finish(): void {
    this.#db.exec("DELETE FROM suspects; COMMIT");
    this.#db.close();
  }

  /** Closes the file without keeping what was written since it was opened. */
  discard(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

/** Names of files tell of what a server holds: only the agent's account may read them. */
function connect(file: string): DatabaseSync {
  closeSync(openSync(file, "a", 0o600));
  if (process.platform !== "win32") chmodSync(file, 0o600);
  const { DatabaseSync } = loadSqlite();
  const db: DatabaseSync = new DatabaseSync(file);
  db.exec("PRAGMA synchronous = FULL");
  return db;
}
