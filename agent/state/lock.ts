import { chmodSync, closeSync, openSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { isBusy, loadSqlite, stateError } from "./sqlite.ts";

/** Something that one process at a time may hold. */
export interface Lock {
  release(): void;
}

/**
 * Takes the lock that lies at `file`, or answers undefined when another process or another part of this one holds it.
 *
 * The lock is an exclusive transaction on an empty SQLite database: the operating system drops it when the process ends, also by
 * `kill -9` or a power cut, on Linux and on Windows. The file stays behind and means nothing by itself.
 * It belongs on a local disk: network file systems may not lock.
 */
export function takeLock(file: string): Lock | undefined {
  closeSync(openSync(file, "a", 0o600));
  if (process.platform !== "win32") chmodSync(file, 0o600);
  const { DatabaseSync } = loadSqlite();
  const db: DatabaseSync = new DatabaseSync(file);
  try {
    db.exec("PRAGMA busy_timeout = 0");
    db.exec("PRAGMA journal_mode = MEMORY");
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if (isBusy(error)) return undefined;
    throw stateError(error, file);
  }
  return {
    release: () => {
      if (db.isOpen) db.close();
    },
  };
}

/** Held by `reconsync run`: one daemon a state. */
export function daemonLockFile(stateFile: string): string {
  return `${stateFile}.run.lock`;
}

/** Held while a server is backed up, by the daemon or by hand. */
export function backupLockFile(stateFile: string, server: string): string {
  return `${stateFile}.backup-${server}.lock`;
}

/** Held while backups of a server are verified, by the daemon or by hand. */
export function verificationLockFile(stateFile: string, server: string): string {
  return `${stateFile}.verify-${server}.lock`;
}
