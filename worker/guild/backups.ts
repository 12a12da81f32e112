import type { BackupResult, Instant } from "../../schemas/index.ts";
import { newId } from "../../schemas/index.ts";

export interface BackupRecord extends BackupResult {
  id: string;
  host: string;
  job: string | null;
  /** Member who asked for it; null when it was made by hand on the host. */
  madeBy: string | null;
  createdAt: Instant;
}

/** Rows of removed backups are kept so long, in milliseconds, so that a report that comes again is still known. */
const KEEP_REMOVED_MS = 90 * 24 * 60 * 60_000;
/** Rows of one server; beyond, the oldest of the host's own folder are forgotten (their archives stay where they are). */
const KEEP_LOCAL_MAX = 5000;

/** Finished backups. A row is a fact: it is added with its job's result and marked when its archive is removed. */
export class Backups {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  byId(id: string): BackupRecord | null {
    return this.#select("WHERE id = ?", id)[0] ?? null;
  }

  /** Answers the new backup's id; null when this key was recorded before. */
  add(backup: { key: string; host: string; job: string | null; madeBy: string | null; result: BackupResult }, now: Instant): string | null {
    const { key, host, job, madeBy, result } = backup;
    const id = newId("backup");
    const added = this.#sql.exec(
      `INSERT INTO backups (id, key, server_id, host_id, job_id, upload_id, made_by, created_at, result_json)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
      ...[id, key, result.server, host, job, result.upload ?? null, madeBy, now, JSON.stringify(result)],
    );
    if (added.toArray().length === 0) return null;
    this.#forgetOld(result.server, now);
    if (result.store === "local") this.#markPruned(host, result);
    return id;
  }

  /** Newest first. */
  of(server: string, page: { limit: number; offset: number }): BackupRecord[] {
    return this.#select(
      "WHERE server_id = ? AND removed_at IS NULL ORDER BY created_at DESC, id LIMIT ? OFFSET ?",
      server,
      page.limit,
      page.offset,
    );
  }

  summary(server: string): { count: number; bytes: number } {
    const row = this.#sql
      .exec(
        "SELECT COUNT(*) AS n, COALESCE(SUM(json_extract(result_json, '$.bytes')), 0) AS bytes FROM backups WHERE server_id = ? AND removed_at IS NULL",
        server,
      )
      .one();
    return { count: Number(row.n), bytes: Number(row.bytes) };
  }

  newest(server: string): BackupRecord | null {
    return this.of(server, { limit: 1, offset: 0 })[0] ?? null;
  }

  /** Backups in R2 that a host made of a server, for retention. */
  inR2(server: string, host: string): BackupRecord[] {
    return this.#select("WHERE server_id = ? AND host_id = ? AND upload_id IS NOT NULL AND removed_at IS NULL", server, host);
  }

  hasUpload(upload: string): boolean {
    return this.#sql.exec("SELECT 1 FROM backups WHERE upload_id = ? AND removed_at IS NULL", upload).toArray().length === 1;
  }

  markRemoved(id: string, now: Instant): void {
    this.#sql.exec("UPDATE backups SET removed_at = ? WHERE id = ?", now, id);
  }

  #forgetOld(server: string, now: Instant): void {
    this.#sql.exec("DELETE FROM backups WHERE removed_at < ?", now - KEEP_REMOVED_MS);
    this.#sql.exec(
      `DELETE FROM backups WHERE id IN (
         SELECT id FROM backups WHERE server_id = ? AND upload_id IS NULL ORDER BY created_at DESC LIMIT -1 OFFSET ?)`,
      ...[server, KEEP_LOCAL_MAX],
    );
  }

  /** The agent's local retention named the archives that it removed. */
  #markPruned(host: string, result: BackupResult): void {
    for (const archive of result.pruned) {
      this.#sql.exec(
        `UPDATE backups SET removed_at = ? WHERE server_id = ? AND host_id = ? AND upload_id IS NULL AND json_extract(result_json, '$.archive') = ?`,
        ...[result.startedAt + result.durationMs, result.server, host, archive],
      );
    }
  }

  #select(where: string, ...bindings: unknown[]): BackupRecord[] {
    return this.#sql
      .exec(`SELECT * FROM backups ${where}`, ...bindings)
      .toArray()
      .map((row) => ({
        ...(JSON.parse(String(row.result_json)) as BackupResult),
        id: String(row.id),
        host: String(row.host_id),
        job: row.job_id === null ? null : String(row.job_id),
        madeBy: row.made_by === null ? null : String(row.made_by),
        createdAt: Number(row.created_at),
      }));
  }
}
