import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../clock.ts";
import { AgentError, EXIT } from "../errors.ts";
import { BackupsTable } from "./backups-table.ts";
import { HoldsTable } from "./holds-table.ts";
import { IdentityTable } from "./identity-table.ts";
import { JournalTable } from "./journal-table.ts";
import { APPLICATION_ID, MIGRATIONS } from "./migrations.ts";
import { OutboxTable } from "./outbox-table.ts";
import { RestoresTable } from "./restores-table.ts";
import { RetentionTable } from "./retention-table.ts";
import { RunsTable } from "./runs-table.ts";
import { SchedulesTable } from "./schedules-table.ts";
import { BUSY_TIMEOUT_MS, corrupt, loadSqlite, stateError, transaction } from "./sqlite.ts";
import { UploadsTable } from "./uploads-table.ts";
import { VerificationsTable } from "./verifications-table.ts";
import { narrowAccess } from "./windows-access.ts";

/** What the agent remembers between two runs, in one SQLite database. Several processes may have it open at the same time. */
export interface AgentState {
  readonly file: string;
  /** What a person should see to, such as who may read the file. */
  readonly warnings: readonly string[];
  readonly identity: IdentityTable;
  readonly journal: JournalTable;
  readonly outbox: OutboxTable;
  readonly uploads: UploadsTable;
  readonly backups: BackupsTable;
  readonly schedules: SchedulesTable;
  readonly runs: RunsTable;
  readonly restores: RestoresTable;
  readonly holds: HoldsTable;
  readonly retention: RetentionTable;
  readonly verifications: VerificationsTable;
  /** All of `work` is kept, or nothing. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/**
 * Opens the state database, makes it when there is none, and brings its schema up to date.
 * @throws AgentError `state-corrupt`, `state-newer`, `state-foreign`, `state-unwritable`, `state-busy`
 */
export function openState(file: string, clock: Clock): AgentState {
  const warnings = ensureFile(file);
  let db: DatabaseSync | undefined;
  try {
    const { DatabaseSync } = loadSqlite();
    db = new DatabaseSync(file);
    prepare(db, file);
    return connect(db, { file, warnings, clock });
  } catch (error) {
    if (db?.isOpen) db.close();
    throw stateError(error, file);
  }
}

/** The private key lies in this file: only its owner may read it. SQLite gives its side files the same mode. */
function ensureFile(file: string): string[] {
  try {
    const folder = dirname(file);
    const madeFolder = mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined;
    if (process.platform !== "win32") {
      closeSync(openSync(file, "a", 0o600));
      chmodSync(file, 0o600);
      return [];
    }
    const madeFile = !existsSync(file);
    // Before there is anything in it, so that nobody can open what the key will be written to.
    const narrowed = madeFolder ? narrowAccess({ kind: "folder", path: folder }, process.env) : undefined;
    closeSync(openSync(file, "a"));
    const warning = madeFolder || !madeFile ? narrowed : narrowAccess({ kind: "file", path: file }, process.env);
    return warning === undefined ? [] : [warning];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AgentError("state-unwritable", `cannot write the state database ${file}: ${why}. Check its owner and its folder`, {
      cause: error,
      exitCode: EXIT.unavailable,
    });
  }
}

function prepare(db: DatabaseSync, file: string): void {
  db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  db.exec("PRAGMA journal_mode = WAL");
  // Full: a job that is journaled must still be there after a power cut.
  db.exec("PRAGMA synchronous = FULL");
  db.exec("PRAGMA foreign_keys = ON");
  if (pragma(db, "quick_check(1)") !== "ok") throw corrupt(file);
  migrate(db, file);
}

function migrate(db: DatabaseSync, file: string): void {
  if (isCurrent(db)) return;
  transaction(db, () => {
    const tables = Object.values(db.prepare("SELECT count(*) FROM sqlite_schema").get() ?? {})[0];
    if (tables !== 0 && pragma(db, "application_id") !== APPLICATION_ID) {
      throw new AgentError("state-foreign", `${file} is a database of another program; give another path for the state`, {
        exitCode: EXIT.badConfig,
      });
    }
    const version = Number(pragma(db, "user_version"));
    if (version > MIGRATIONS.length) {
      throw new AgentError(
        "state-newer",
        `the state database ${file} was written by a newer reconsync (schema ${version}, this one knows ${MIGRATIONS.length}); install that version or a later one`,
        { exitCode: EXIT.unavailable },
      );
    }
    for (const sql of MIGRATIONS.slice(version)) db.exec(sql);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}

function isCurrent(db: DatabaseSync): boolean {
  return pragma(db, "application_id") === APPLICATION_ID && pragma(db, "user_version") === MIGRATIONS.length;
}

function pragma(db: DatabaseSync, name: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

function connect(db: DatabaseSync, { file, warnings, clock }: { file: string; warnings: readonly string[]; clock: Clock }): AgentState {
  return {
    file,
    warnings,
    identity: new IdentityTable(db),
    journal: new JournalTable(db),
    outbox: new OutboxTable(db),
    uploads: new UploadsTable(db, clock),
    backups: new BackupsTable(db),
    schedules: new SchedulesTable(db),
    runs: new RunsTable(db),
    restores: new RestoresTable(db),
    holds: new HoldsTable(db),
    retention: new RetentionTable(db),
    verifications: new VerificationsTable(db),
    transaction: (work) => transaction(db, work),
    close: () => {
      if (db.isOpen) db.close();
    },
  };
}
