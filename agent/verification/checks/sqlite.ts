import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { loadSqlite } from "../../state/sqlite.ts";
import { Broken } from "./broken.ts";

/** How a database begins. Source: https://www.sqlite.org/fileformat.html#the_database_header */
export const SQLITE_MAGIC = Buffer.from("SQLite format 3\0");
/** Collations, functions and table modules that only the game brings: SQLite cannot look at those parts, and nothing is known to be wrong. */
const UNKNOWN_HERE = /^no such (?:collation sequence|function|module)/;
/** So many findings are told; one is enough to know. */
const FINDINGS_MAX = 3;

/**
 * Opens a database as the game would, with what its journal or WAL holds, and lets SQLite look at every page.
 * It works upon copies: recovery writes, and what came out of the backup stays as it was.
 * @throws Broken
 */
export function checkSqlite(file: string, temporary: string): void {
  const folder = mkdtempSync(join(temporary, "sqlite-"));
  try {
    const copy = join(folder, "copy");
    for (const suffix of ["", "-wal", "-journal"]) if (existsSync(file + suffix)) copyFileSync(file + suffix, copy + suffix);
    const found = findings(copy).filter((line) => line !== "ok");
    if (found.length > 0) throw new Broken(`SQLite finds: ${found.join("; ").replaceAll("\n", " ")}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function findings(file: string): string[] {
  const { DatabaseSync } = loadSqlite();
  try {
    const db = new DatabaseSync(file);
    try {
      return db
        .prepare(`PRAGMA integrity_check(${FINDINGS_MAX})`)
        .all()
        .map((row) => String(Object.values(row)[0]));
    } finally {
      db.close();
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return UNKNOWN_HERE.test(message) ? [] : [message];
  }
}
