import type { Consistency, Instant, RestorePayload, RestorePlan } from "../../schemas/index.ts";
import { newId } from "../../schemas/index.ts";

/** How the backup was found that is to be restored. */
export type Chosen =
  | { by: "latest" | "backup" }
  /** `text` as it was typed, read in `zone`. */
  | { by: "time"; text: string; at: Instant; zone: string }
  | { by: "before"; words: string; at: Instant }
  /** `of`: id of the restore that is taken back, which ended at `at`. */
  | { by: "undo"; of: string; at: Instant };

/** What people are shown of the backup, also when it is no longer kept. */
export interface ChosenBackup {
  /** Id of its row; null while the report of a safety backup is still on its way. */
  id: string | null;
  name: string;
  format: "zip" | "repository";
  madeAt: Instant;
  note: string | null;
  consistency: Consistency | null;
  /** What it restores to; null when not known. */
  sourceBytes: number | null;
  safety: boolean;
  /** When it is torn: when the newest one before it was made that is not. */
  wholeAt?: Instant;
}

export interface RestoreRecord {
  id: string;
  server: string;
  host: string;
  payload: RestorePayload;
  chosen: Chosen;
  backup: ChosenBackup;
  askedBy: string;
  askedAt: Instant;
  message: number | null;
  planJob: string | null;
  plan: RestorePlan | null;
  readyAt: Instant | null;
  declinedAt: Instant | null;
  declinedBy: string | null;
  confirmedAt: Instant | null;
  confirmedBy: string | null;
  job: string | null;
  /** The restore that this one takes back. */
  undoOf: string | null;
}

type NewRestore = Pick<RestoreRecord, "server" | "host" | "payload" | "chosen" | "backup" | "askedBy" | "readyAt" | "undoOf">;

/** Restores are kept so long, in milliseconds. */
const KEEP_MS = 90 * 24 * 60 * 60_000;
/** And at most so many; the oldest go first. */
const KEEP_MAX = 1000;
/** Those whose job goes on stay whatever their age. */
const GOES_ON = "job_id IN (SELECT id FROM jobs WHERE ended_at IS NULL)";

/** Restores that members asked for, from the first question to the job. Which stage one is in follows from its row: restore-rules.ts. */
export class Restores {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** `key`: the interaction's id. Its `readyAt` is not null when it can be decided without a plan. */
  add(restore: NewRestore & { key: string }, now: Instant): string {
    this.#forgetOld(now);
    const id = newId("restore");
    const { key, server, host, payload, chosen, backup, askedBy, readyAt, undoOf } = restore;
    this.#sql.exec(
      `INSERT INTO restores (id, key, server_id, host_id, payload_json, chosen_json, backup_json, backup_id, asked_by, asked_at, ready_at, undo_of)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, key, server, host, JSON.stringify(payload), JSON.stringify(chosen), JSON.stringify(backup), backup.id],
      ...[askedBy, now, readyAt, undoOf],
    );
    return id;
  }

  setMessage(id: string, message: number): void {
    this.#sql.exec("UPDATE restores SET message_id = ? WHERE id = ?", message, id);
  }

  setPlanJob(id: string, job: string): void {
    this.#sql.exec("UPDATE restores SET plan_job = ? WHERE id = ?", job, id);
  }

  /** The host has compared: from now on it can be decided. */
  planned(job: string, plan: RestorePlan, now: Instant): void {
    this.#sql.exec(
      "UPDATE restores SET plan_json = ?, ready_at = ? WHERE plan_job = ? AND ready_at IS NULL",
      ...[JSON.stringify(plan), now, job],
    );
  }

  /** False when somebody has decided before. */
  decline(id: string, by: string, now: Instant): boolean {
    return this.#decide("declined_at = ?, declined_by = ?", id, now, by);
  }

  /** False when somebody has decided before. */
  confirm(id: string, by: string, now: Instant): boolean {
    return this.#decide("confirmed_at = ?, confirmed_by = ?", id, now, by);
  }

  setJob(id: string, job: string): void {
    this.#sql.exec("UPDATE restores SET job_id = ? WHERE id = ?", job, id);
  }

  byId(id: string): RestoreRecord | null {
    return this.#select("WHERE id = ?", id)[0] ?? null;
  }

  byKey(key: string): RestoreRecord | null {
    return this.#select("WHERE key = ?", key)[0] ?? null;
  }

  byJob(job: string): RestoreRecord | null {
    return this.#select("WHERE job_id = ?1 OR plan_job = ?1", job)[0] ?? null;
  }

  undosOf(id: string): RestoreRecord[] {
    return this.#select("WHERE undo_of = ? ORDER BY asked_at, id", id);
  }

  /** Those of a server that were confirmed, newest first. */
  confirmedOf(server: string, limit: number): RestoreRecord[] {
    return this.#select("WHERE server_id = ? AND confirmed_at IS NOT NULL ORDER BY confirmed_at DESC, id LIMIT ?", server, limit);
  }

  /** The one that goes on now on a server. */
  activeOn(server: string): RestoreRecord | null {
    return this.#select(`WHERE server_id = ? AND confirmed_at IS NOT NULL AND ${GOES_ON}`, server)[0] ?? null;
  }

  /** Ids of backups of a server that are being restored, or about which somebody was asked after `since`: retention leaves them alone. */
  backupsInUse(server: string, since: Instant): Set<string> {
    const asked = "(declined_at IS NULL AND confirmed_at IS NULL AND COALESCE(ready_at, asked_at) > ?)";
    const rows = this.#sql.exec(
      `SELECT DISTINCT backup_id FROM restores WHERE server_id = ? AND backup_id IS NOT NULL AND (${GOES_ON} OR ${asked})`,
      ...[server, since],
    );
    return new Set(rows.toArray().map((row) => String(row.backup_id)));
  }

  #decide(set: string, id: string, now: Instant, by: string): boolean {
    const open = "confirmed_at IS NULL AND declined_at IS NULL AND ready_at IS NOT NULL";
    return this.#sql.exec(`UPDATE restores SET ${set} WHERE id = ? AND ${open} RETURNING id`, now, by, id).toArray().length === 1;
  }

  #forgetOld(now: Instant): void {
    this.#sql.exec(`DELETE FROM restores WHERE asked_at < ? AND COALESCE(${GOES_ON}, 0) = 0`, now - KEEP_MS);
    const count = Number(this.#sql.exec("SELECT COUNT(*) AS n FROM restores").one().n);
    if (count < KEEP_MAX) return;
    this.#sql.exec(
      `DELETE FROM restores WHERE id IN (SELECT id FROM restores WHERE COALESCE(${GOES_ON}, 0) = 0 ORDER BY asked_at LIMIT ?)`,
      count - KEEP_MAX + 1,
    );
  }

  #select(where: string, ...bindings: unknown[]): RestoreRecord[] {
    const number = (value: SqlStorageValue | undefined) => (typeof value === "number" ? value : null);
    const text = (value: SqlStorageValue | undefined) => (typeof value === "string" ? value : null);
    const json = (value: SqlStorageValue | undefined) => (typeof value === "string" ? JSON.parse(value) : null);
    return this.#sql
      .exec(`SELECT * FROM restores ${where}`, ...bindings)
      .toArray()
      .map((row) => ({
        id: String(row.id),
        server: String(row.server_id),
        host: String(row.host_id),
        payload: json(row.payload_json),
        chosen: json(row.chosen_json),
        backup: json(row.backup_json),
        askedBy: String(row.asked_by),
        askedAt: Number(row.asked_at),
        message: number(row.message_id),
        planJob: text(row.plan_job),
        plan: json(row.plan_json),
        readyAt: number(row.ready_at),
        declinedAt: number(row.declined_at),
        declinedBy: text(row.declined_by),
        confirmedAt: number(row.confirmed_at),
        confirmedBy: text(row.confirmed_by),
        job: text(row.job_id),
        undoOf: text(row.undo_of),
      }));
  }
}
