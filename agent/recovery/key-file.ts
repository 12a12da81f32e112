import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { errorCode } from "../backup/error-code.ts";
import { AgentError, EXIT } from "../errors.ts";
import { narrowAccess } from "../state/windows-access.ts";
import { syncFolder } from "../sync-folder.ts";
import { newRecoveryKey, tidyKey } from "./key.ts";

/** The key of a host is a line of text; what is larger is another file, in bytes. */
const KEY_FILE_BYTES_MAX = 4096;

/** Beside the agent's database. It never leaves the host by itself. */
export function keyFileOf(stateFile: string): string {
  return join(dirname(stateFile), "recovery-key");
}

/** Lies beside the key once somebody has said that it is put away, and holds its hash: another key is another matter. */
export function savedMarkOf(stateFile: string): string {
  return `${keyFileOf(stateFile)}.saved`;
}

export interface RecoveryKey {
  key: string;
  /** Somebody has said that a copy is put away. */
  saved: boolean;
  /** It was made by this call. */
  isNew: boolean;
  /** What a person should still do about who may read it. */
  warning?: string;
}

/**
 * The key of this host, made when there is none. Two that ask at the same time get the same.
 * @throws AgentError `recovery-key-unreadable`, `recovery-key-unwritable`
 */
export function recoveryKey(stateFile: string): RecoveryKey {
  const there = readKey(stateFile);
  if (there !== null) return { key: there, saved: isSaved(stateFile, there), isNew: false };
  const warning = writeKey(stateFile, newRecoveryKey());
  // Whoever came first has written it.
  const key = readKey(stateFile);
  if (key === null) throw unreadable(keyFileOf(stateFile), new Error("it is not there, though it was just made"));
  return { key, saved: false, isNew: true, ...(warning !== undefined && { warning }) };
}

/**
 * Takes a key of another host, or a password of one's own, on a host that has none yet.
 * @throws AgentError `recovery-key-exists` when there is another
 */
export function importKey(stateFile: string, typed: string): RecoveryKey {
  const wanted = tidyKey(typed);
  if (wanted === "") throw new AgentError("recovery-key-empty", "no key was given; nothing has changed", { exitCode: EXIT.usage });
  const warning = writeKey(stateFile, wanted);
  const key = readKey(stateFile);
  if (key !== wanted) {
    const file = keyFileOf(stateFile);
    const text = `this host has another recovery key already, in ${file}. Backups that were made with it open with no other: move the file away to use the new one`;
    throw new AgentError("recovery-key-exists", text, { exitCode: EXIT.refused });
  }
  markSaved(stateFile);
  return { key, saved: true, isNew: true, ...(warning !== undefined && { warning }) };
}

/** Somebody has said that a copy of this host's key is put away. Nothing happens where there is no key. */
export function markSaved(stateFile: string): void {
  const key = readKey(stateFile);
  if (key === null) return;
  const mark = savedMarkOf(stateFile);
  try {
    writeFileSync(mark, `${hashOf(key)}\n`, { mode: 0o600 });
  } catch (error) {
    throw unwritable(mark, error);
  }
}

function isSaved(stateFile: string, key: string): boolean {
  try {
    return readFileSync(savedMarkOf(stateFile), "utf8").trim() === hashOf(key);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw unreadable(savedMarkOf(stateFile), error);
  }
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Null when there is none. */
export function readKey(stateFile: string): string | null {
  const file = keyFileOf(stateFile);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw unreadable(file, error);
  }
  const key = bytes.length > KEY_FILE_BYTES_MAX ? "" : bytes.toString("utf8").trim();
  if (key === "") throw unreadable(file, new Error("it holds no key"));
  return key;
}

/** Whole under its name or not there, and never over another one. */
function writeKey(stateFile: string, key: string): string | undefined {
  const file = keyFileOf(stateFile);
  const partial = `${file}.${process.pid}.new`;
  const windows = process.platform === "win32";
  try {
    // On a new host the key comes before the agent's database.
    const madeFolder = mkdirSync(dirname(file), { recursive: true, mode: 0o700 }) !== undefined;
    if (madeFolder && windows) narrowAccess({ kind: "folder", path: dirname(file) }, process.env);
    const descriptor = openSync(partial, "w", 0o600);
    let warning: string | undefined;
    try {
      if (windows) warning = narrowAccess({ kind: "file", path: partial }, process.env);
      writeSync(descriptor, `${key}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    publish(partial, file);
    syncFolder(dirname(file));
    return warning;
  } catch (error) {
    throw unwritable(file, error);
  } finally {
    rmSync(partial, { force: true });
  }
}

/** File systems that know no second names, such as FAT's. */
const NO_LINKS: ReadonlySet<string | undefined> = new Set(["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EMLINK"]);

/** One that is there already stays. */
function publish(partial: string, file: string): void {
  try {
    linkSync(partial, file);
  } catch (error) {
    if (errorCode(error) === "EEXIST") return;
    if (!NO_LINKS.has(errorCode(error))) throw error;
    copyIfMissing(partial, file);
  }
}

function copyIfMissing(partial: string, file: string): void {
  try {
    copyFileSync(partial, file, constants.COPYFILE_EXCL);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
}

function unreadable(file: string, error: unknown): AgentError {
  const why = error instanceof Error ? error.message : String(error);
  const text = `the recovery key in ${file} cannot be read (${why}), and without it no backup can be made or opened. Correct that, or put a copy of the key there`;
  return new AgentError("recovery-key-unreadable", text, { cause: error, exitCode: EXIT.badConfig });
}

function unwritable(file: string, error: unknown): AgentError {
  const why = error instanceof Error ? error.message : String(error);
  return new AgentError(
    "recovery-key-unwritable",
    `${file} cannot be written (${why}). Give the agent's account the right to write there`,
    {
      cause: error,
      exitCode: EXIT.badConfig,
    },
  );
}
