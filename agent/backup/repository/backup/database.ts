import { lstatSync, rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { isBusy, loadSqlite } from "../../../state/sqlite.ts";
import { JOURNAL, WAL } from "./companions.ts";
import { statsRecord } from "./listing.ts";
import { systemPath } from "./paths.ts";
import type { CopyAnswer, CopyInput } from "./protocol.ts";

/** What an SQLite database begins with (sqlite.org/fileformat.html). */
const HEADER = Buffer.from("SQLite format 3\0");
const HEADER_BYTES = 100;
/** Versions for writing and reading: 1 means journal, 2 write-ahead log. */
const VERSIONS_AT = 18;
const READ_VERSION_AT = 19;
const VERSION_WAL = 2;
/** Three numbers that are always the same. */
const FRACTIONS_AT = 21;
const FRACTIONS = Buffer.of(64, 32, 32);

/** How long a step of the copy waits for somebody who writes, in milliseconds. */
const LOCK_WAIT_MS = 800;
/** Pages that are copied in one step, so that whoever wants to write gets in between. 8 MiB of the usual pages. */
const STEP_PAGES = 2048;
/** A copy that begins again whenever somebody writes does so this often; then the writers have to wait for one. */
const RESTARTS_MAX = 5;
/** How often a copy is tried when the database is locked, and the pause between, in milliseconds. */
const LOCKED_TRIES = 6;
const LOCKED_PAUSE_MS = 200;
/**
 * Larger databases are never locked for the whole of their copy. Copies ran at 300 to 500 MB/s here, so writers wait for 2 to 3 seconds; SQLite's
 * own shell and most programs wait for 5. In bytes.
 */
const LOCKED_BYTES_MAX = 1024 * 1024 * 1024;

export function isDatabase(content: Uint8Array): boolean {
  if (content.length < HEADER_BYTES || !HEADER.equals(content.subarray(0, HEADER.length))) return false;
  const versions = [...content.subarray(VERSIONS_AT, READ_VERSION_AT + 1)];
  return (
    versions.every((version) => version === 1 || version === VERSION_WAL) &&
    FRACTIONS.equals(content.subarray(FRACTIONS_AT, FRACTIONS_AT + FRACTIONS.length))
  );
}

/**
 * A database whose file holds its last transaction has neither a journal nor a write-ahead log beside it, and nobody who writes at the moment;
 * it stays so for as long as the file does not change. On Windows a file's times may lag behind what is written to it, so that one cannot tell.
 */
export function mayBeInUse(path: Uint8Array, header: Uint8Array, platform: NodeJS.Platform = process.platform): boolean {
  return platform === "win32" || hasLog(path) || (header[READ_VERSION_AT] !== VERSION_WAL && isLocked(path));
}

/** A journal or a write-ahead log with content stands beside the database. */
export function hasLog(path: Uint8Array): boolean {
  return [JOURNAL, WAL].some((suffix) => {
    const stats = lstatSync(systemPath(Buffer.concat([path, suffix])), { throwIfNoEntry: false });
    return stats !== undefined && stats.size > 0;
  });
}

/** Somebody is writing to the database's file now. With a journal in memory, or none, nothing else tells. */
function isLocked(path: Uint8Array): boolean {
  const { DatabaseSync } = loadSqlite();
  try {
    const source = new DatabaseSync(systemPath(path), { readOnly: true, timeout: 0 });
    try {
      source.prepare("PRAGMA schema_version").get();
      return false;
    } finally {
      source.close();
    }
  } catch (error) {
    // What SQLite cannot read at all is a file like any other.
    return isBusy(error);
  }
}

/**
 * Copies a database with SQLite's backup API, as of one moment, while others write to it. Writers wait for a step at most; only when they
 * never let a copy come to its end they wait for a whole one. A database with a write-ahead log has nobody wait at all.
 */
export async function copyDatabase({ path, target }: CopyInput): Promise<CopyAnswer> {
  const { DatabaseSync } = loadSqlite();
  try {
    const stats = lstatSync(systemPath(path), { bigint: true });
    const source = new DatabaseSync(systemPath(path), { readOnly: true, timeout: LOCK_WAIT_MS });
    try {
      await copy(source, target, stats.size);
    } finally {
      source.close();
    }
    return { status: "copied", stats: statsRecord(stats), bytes: lstatSync(target).size };
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error || error instanceof CopyError)) throw error;
    for (const suffix of ["", "-journal"]) rmSync(`${target}${suffix}`, { force: true });
    return { status: "failed", why: error.message };
  }
}

class CopyError extends Error {
  override readonly name = "CopyError";
}

/** Others wrote so often that the copy never came to its end. */
class RestartError extends CopyError {}
/** Others held a lock for longer than a step waits. */
class LockedError extends CopyError {}

async function copy(source: DatabaseSync, target: string, bytes: bigint): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await copyOnce(source, target, bytes);
      return;
    } catch (error) {
      if (!isBusy(error) && !(error instanceof LockedError)) throw error;
      if (source.isTransaction) source.exec("ROLLBACK");
      if (attempt >= LOCKED_TRIES) throw error;
      await delay(LOCKED_PAUSE_MS);
    }
  }
}

async function copyOnce(source: DatabaseSync, target: string, bytes: bigint): Promise<void> {
  const mode = source.prepare("PRAGMA journal_mode").get()?.journal_mode;
  if (mode === "wal") return copyTransaction(source, target);
  try {
    return await copyInSteps(source, target);
  } catch (error) {
    if (!(error instanceof RestartError)) throw error;
  }
  if (bytes > LOCKED_BYTES_MAX) throw new CopyError("it is written to all the time, and too large to make its writers wait for a copy");
  await copyTransaction(source, target);
}

/** Everything as of now: a write-ahead log lets others write meanwhile, a journal does not. */
async function copyTransaction(source: DatabaseSync, target: string): Promise<void> {
  source.exec("BEGIN");
  source.prepare("SELECT count(*) FROM sqlite_schema").get();
  await backup(source, target, STEP_PAGES);
  source.exec("COMMIT");
}

async function copyInSteps(source: DatabaseSync, target: string): Promise<void> {
  let remaining = Number.POSITIVE_INFINITY;
  let restarts = 0;
  await backup(source, target, STEP_PAGES, (pages) => {
    // A step that leaves no less than the one before began anew, since somebody wrote.
    if (pages >= remaining) restarts += 1;
    remaining = pages;
    if (restarts > RESTARTS_MAX) throw new RestartError("it is written to all the time");
  });
}

async function backup(source: DatabaseSync, target: string, rate: number, onStep?: (remainingPages: number) => void): Promise<void> {
  const options = {
    rate,
    ...(onStep !== undefined && { progress: ({ remainingPages }: { remainingPages: number }) => onStep(remainingPages) }),
  };
  try {
    await loadSqlite().backup(source, target, options);
  } catch (error) {
    if (error instanceof CopyError) throw error;
    // Node says "not an error" of a database that is locked for longer than the connection waits.
    if (error instanceof Error && error.message === "not an error") throw new LockedError("it is locked", { cause: error });
    throw error;
  }
}
