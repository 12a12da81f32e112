import type { DatabaseSync } from "node:sqlite";
import { AgentError, EXIT } from "../errors.ts";

/** How long a statement waits for another process that writes, in milliseconds. */
export const BUSY_TIMEOUT_MS = 5000;

/** Primary result codes of SQLite (sqlite.org/rescode.html); extended codes carry them in the low byte. */
const RESULT = { busy: 5, locked: 6, readonly: 8, ioerr: 10, corrupt: 11, full: 13, cantopen: 14, notadb: 26 } as const;

/**
 * Node's own SQLite. It is loaded when first needed, because older versions of Node 22 print a warning while loading it: that one
 * warning is held back, all others pass.
 */
export function loadSqlite(): typeof import("node:sqlite") {
  const emitWarning = process.emitWarning;
  const quiet = (warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).includes("SQLite is an experimental feature")) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  process.emitWarning = quiet as typeof process.emitWarning;
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Primary result code of an error that SQLite raised, or undefined for any other error. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** True when another connection holds the lock that a statement asked for. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === RESULT.busy || code === RESULT.locked;
}

/** Turns what SQLite raised into an AgentError that says what to do; any other error is answered as it is. */
export function stateError(error: unknown, file: string): unknown {
  const fail = (code: string, message: string) => new AgentError(code, message, { cause: error, exitCode: EXIT.unavailable });
  switch (resultCode(error)) {
    case undefined:
      return error;
    case RESULT.corrupt:
    case RESULT.notadb:
      return corrupt(file, error);
    case RESULT.busy:
    case RESULT.locked:
      return fail("state-busy", `another process holds the state database ${file}; try again when it has ended`);
    case RESULT.full:
      return fail("state-disk-full", `the disk of the state database ${file} is full; free some space`);
    case RESULT.readonly:
    case RESULT.cantopen:
      return fail("state-unwritable", `cannot write the state database ${file}; check its owner and permissions, and those of its folder`);
    default:
      return fail("state-failed", `the state database ${file} failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function corrupt(file: string, cause?: unknown): AgentError {
  return new AgentError(
    "state-corrupt",
    `the state database ${file} is damaged. It is left as it is. Restore it from a copy, or move it away and enrol this host again`,
    { cause, exitCode: EXIT.unavailable },
  );
}

/** Runs `work` in one write transaction: all of it is kept, or nothing. Not for nesting. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const value = work();
    db.exec("COMMIT");
    return value;
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
