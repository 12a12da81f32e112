import type { ArchiveBackup, BackupRef, BackupResult, Instant } from "../../schemas/index.ts";
import { newId, SHORT_ID_DIGITS } from "../../schemas/index.ts";

export type BackupRecord = BackupResult & {
  id: string;
  host: string;
  job: string | null;
  /** Member who asked for it; null when it was made by hand on the host. */
  madeBy: string | null;
  createdAt: Instant;
};

/** Rows of removed backups are kept so long, in milliseconds, so that a report that comes again is still known. */
const KEEP_REMOVED_MS = 90 * 24 * 60 * 60_000;
/** Rows of one server; beyond, the oldest of the host's own folder are forgotten (their archives stay where they are). */
const KEEP_LOCAL_MAX = 5000;

/** Which backups a restore may choose from. */
export interface RestorableFilter {
  /** The host that would restore: what lies in another host's own folder is out of its reach. */
  host: string;
  /** Only those whose files were read from then on or before. */
  startedBy?: Instant;
  /** Only those that had ended by then. */
  endedBy?: Instant;
  /** Safety backups too: what was there before a restore. */
  safety: boolean;
  /** Only those that are not torn. */
  whole?: boolean;
  /** Only this one. */
  id?: string;
}

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
      ...[id, key, result.server, host, job, uploadOf(result), madeBy, now, JSON.stringify(result)],
    );
    if (added.toArray().length === 0) return null;
    this.#forgetOld(result.server, now);
    if (result.store !== "r2") this.#markPruned(host, result);
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

  /** Backups that can be restored, by when their files were read, newest first. */
  restorable(server: string, { host, startedBy, endedBy, safety, whole = false, id }: RestorableFilter, limit: number): BackupRecord[] {
    const fact = (name: string) => `json_extract(result_json, '$.${name}')`;
    return this.#select(
      `WHERE server_id = ?1 AND removed_at IS NULL AND (${fact("store")} <> 'local' OR host_id = ?2)
         AND (?3 IS NULL OR ${fact("startedAt")} <= ?3) AND (?4 IS NULL OR ${fact("startedAt")} + ${fact("durationMs")} <= ?4)
         AND (?5 OR ${fact("purpose")} IS NOT 'safety') AND (NOT ?6 OR ${fact("consistency")} <> 'torn')
         AND (?8 IS NULL OR id = ?8)
       ORDER BY ${fact("startedAt")} DESC, created_at DESC, id LIMIT ?7`,
      ...[server, host, startedBy ?? null, endedBy ?? null, safety ? 1 : 0, whole ? 1 : 0, limit, id ?? null],
    );
  }

  /** Whether a backup is kept. Null when it is not known. */
  isKept(id: string): boolean | null {
    const row = this.#sql.exec("SELECT removed_at FROM backups WHERE id = ?", id).toArray()[0];
    return row === undefined ? null : row.removed_at === null;
  }

  /** The newest row of a backup by what a host calls it; also one that is no longer kept. */
  byRef(server: string, ref: BackupRef): BackupRecord | null {
    const [field, name] = ref.format === "zip" ? ["archive", ref.archive] : ["snapshot", ref.snapshot];
    const where = `WHERE server_id = ? AND json_extract(result_json, '$.${field}') = ? ORDER BY removed_at IS NOT NULL, created_at DESC LIMIT 1`;
    return this.#select(where, server, name)[0] ?? null;
  }

  /** `bytes`: as stored. `sourceBytes`: what all of them would restore to. */
  summary(server: string): { count: number; bytes: number; sourceBytes: number } {
    const row = this.#sql
      .exec(
        `SELECT COUNT(*) AS n, COALESCE(SUM(json_extract(result_json, '$.bytes')), 0) AS bytes,
           COALESCE(SUM(json_extract(result_json, '$.sourceBytes')), 0) AS source FROM backups WHERE server_id = ? AND removed_at IS NULL`,
        server,
      )
      .one();
    return { count: Number(row.n), bytes: Number(row.bytes), sourceBytes: Number(row.source) };
  }

  newest(server: string): BackupRecord | null {
    return this.of(server, { limit: 1, offset: 0 })[0] ?? null;
  }

  /** Backups in R2 that a host made of a server, for retention. */
  inR2(server: string, host: string): BackupRecord[] {
    return this.#select("WHERE server_id = ? AND host_id = ? AND upload_id IS NOT NULL AND removed_at IS NULL", server, host);
  }

  /** Archives of a server in R2, the newest first, that come behind the one with the id `after`. */
  archivesOf(server: string, after: string | null, limit: number): (BackupRecord & ArchiveBackup & { upload: string })[] {
    // The row that a cursor names may be marked as removed meanwhile; it is kept for long enough.
    const behind = "(?2 IS NULL OR (created_at, id) < (SELECT created_at, id FROM backups WHERE id = ?2))";
    const where = `WHERE server_id = ?1 AND upload_id IS NOT NULL AND removed_at IS NULL AND ${behind}`;
    return this.#select(`${where} ORDER BY created_at DESC, id DESC LIMIT ?3`, server, after, limit).filter(inUpload);
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

  /** The agent's own retention named what it removed: archives, or snapshots by the start of their ids. */
  #markPruned(host: string, result: BackupResult): void {
    for (const name of result.pruned) {
      this.#sql.exec(
        `UPDATE backups SET removed_at = ? WHERE server_id = ? AND host_id = ? AND upload_id IS NULL
           AND COALESCE(json_extract(result_json, '$.archive'), substr(json_extract(result_json, '$.snapshot'), 1, ?)) = ?`,
        ...[result.startedAt + result.durationMs, result.server, host, SHORT_ID_DIGITS, name],
      );
    }
  }

  #select(where: string, ...bindings: unknown[]): BackupRecord[] {
    return this.#sql
      .exec(`SELECT * FROM backups ${where}`, ...bindings)
      .toArray()
      .map((row) => ({
        ...resultIn(row),
        id: String(row.id),
        host: String(row.host_id),
        job: row.job_id === null ? null : String(row.job_id),
        madeBy: row.made_by === null ? null : String(row.made_by),
        createdAt: Number(row.created_at),
      }));
  }
}

/** As a job names a backup to a host. */
export function refOf(backup: BackupRecord): BackupRef {
  if (backup.format === "repository") return { format: "repository", snapshot: backup.snapshot };
  const { archive, store, upload } = backup;
  return { format: "zip", archive, store, ...(upload === undefined ? {} : { upload }) };
}

/** The finished upload of an archive in R2. */
export function uploadOf(result: BackupResult): string | null {
  return result.format === "zip" ? (result.upload ?? null) : null;
}

function inUpload(backup: BackupRecord): backup is BackupRecord & ArchiveBackup & { upload: string } {
  return uploadOf(backup) !== null;
}

/** Rows of before there were repositories say nothing of their format. */
function resultIn(row: Record<string, SqlStorageValue>): BackupResult {
  const result = JSON.parse(String(row.result_json)) as BackupResult;
  return "format" in result ? result : Object.assign(result, { format: "zip" as const });
}
