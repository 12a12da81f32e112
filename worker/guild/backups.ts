import type { ArchiveBackup, BackupRef, BackupResult, Instant, RetainedBackup } from "../../schemas/index.ts";
import { newId, SHORT_ID_DIGITS } from "../../schemas/index.ts";
import type { BrakeFacts } from "../../schemas/retention-brake.ts";
import type { BackupGrowth } from "./backup-stats.ts";

export type BackupRecord = BackupResult & {
  id: string;
  host: string;
  job: string | null;
  /** Member who asked for it; null when it was made by hand on the host. */
  madeBy: string | null;
  createdAt: Instant;
  /** It stays whatever retention says. */
  pin: Pin | null;
  tags: string[];
  /** When it was taken out of the lists; what lies in R2 is there for a while yet. */
  removedAt: Instant | null;
};

export interface Pin {
  by: string;
  at: Instant;
  note: string | null;
}

/** What retention looks at of one backup, without the rest of its result. */
export interface RetainedRow extends RetainedBackup {
  upload: string | null;
  /** As stored. */
  bytes: number;
}

/** Rows of removed backups are kept so long, in milliseconds, so that a report that comes again is still known. */
const KEEP_REMOVED_MS = 90 * 24 * 60 * 60_000;
/** Rows of one server; beyond, the oldest of the host's own folder are forgotten (their archives stay where they are). */
const KEEP_LOCAL_MAX = 5000;
/** Backups that wait for their removal and are offered to come back, at most. */
const DOOMED_SHOWN_MAX = 500;

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

  /** Sizes alone, newest first. What an archive holds counts as new each time. */
  growth(server: string, limit: number): BackupGrowth[] {
    return this.#sql
      .exec(
        `SELECT json_extract(result_json, '$.startedAt') AS at, json_extract(result_json, '$.format') AS format,
           json_extract(result_json, '$.sourceBytes') AS source, json_extract(result_json, '$.newBytes') AS new,
           json_extract(result_json, '$.bytes') AS bytes
         FROM backups WHERE server_id = ? AND removed_at IS NULL ORDER BY created_at DESC, id LIMIT ?`,
        ...[server, limit],
      )
      .toArray()
      .map((row) => ({
        at: Number(row.at),
        format: row.format === "repository" ? "repository" : "zip",
        sourceBytes: Number(row.source),
        newBytes: Number(row.new ?? row.source),
        bytes: Number(row.bytes),
      }));
  }

  newest(server: string): BackupRecord | null {
    return this.of(server, { limit: 1, offset: 0 })[0] ?? null;
  }

  /** Backups of one format in one kind of store that a host made of a server, newest first, for retention. The time is ours. */
  retained(server: string, host: string, { format, store }: Pick<BackupResult, "format" | "store">): RetainedRow[] {
    return this.#sql
      .exec(
        `SELECT id, created_at, upload_id, pin_json IS NOT NULL AS pinned, tags_json, json_extract(result_json, '$.consistency') AS consistency,
           json_extract(result_json, '$.purpose') AS purpose, json_extract(result_json, '$.bytes') AS bytes
         FROM backups WHERE server_id = ? AND host_id = ? AND removed_at IS NULL
           AND COALESCE(json_extract(result_json, '$.format'), 'zip') = ? AND json_extract(result_json, '$.store') = ?
         ORDER BY created_at DESC, id`,
        ...[server, host, format, store],
      )
      .toArray()
      .map((row) => ({
        id: String(row.id),
        at: Number(row.created_at),
        good: true,
        torn: row.consistency === "torn",
        pinned: row.pinned === 1,
        purpose: row.purpose === "safety" ? ("safety" as const) : undefined,
        tags: tagsIn(row.tags_json),
        upload: row.upload_id === null ? null : String(row.upload_id),
        bytes: Number(row.bytes),
      }));
  }

  /** Measures of a host's newest backups of a server taken in since then, newest first, also of those that are gone: for the brake. */
  measures(
    server: string,
    host: string,
    format: BackupResult["format"],
    { since, limit }: { since: Instant; limit: number },
  ): BrakeFacts[] {
    return this.#sql
      .exec(
        `SELECT json_extract(result_json, '$.sourceBytes') AS source, json_extract(result_json, '$.files') AS files,
           json_extract(result_json, '$.newBytes') AS fresh
         FROM backups WHERE server_id = ? AND host_id = ? AND created_at >= ? AND COALESCE(json_extract(result_json, '$.format'), 'zip') = ?
           AND json_extract(result_json, '$.purpose') IS NULL
         ORDER BY created_at DESC, rowid DESC LIMIT ?`,
        ...[server, host, since, format, limit],
      )
      .toArray()
      .map(({ source, files, fresh }) => ({
        sourceBytes: Number(source),
        files: Number(files),
        newBytes: fresh === null || fresh === undefined ? null : Number(fresh),
      }));
  }

  /** Those of a server that people pinned or tagged, newest first. */
  marked(server: string): BackupRecord[] {
    return this.#select(
      "WHERE server_id = ? AND (pin_json IS NOT NULL OR tags_json IS NOT NULL) AND removed_at IS NULL ORDER BY created_at DESC",
      server,
    );
  }

  /** Safety backups of a server taken in since then. */
  safety(server: string, since: Instant): BackupRecord[] {
    return this.#select(
      "WHERE server_id = ? AND created_at >= ? AND removed_at IS NULL AND json_extract(result_json, '$.purpose') = 'safety' ORDER BY created_at DESC",
      ...[server, since],
    );
  }

  /** Taken out of the lists, and their archives are still there; newest first. */
  doomed(server: string | null): BackupRecord[] {
    return this.#select(
      `WHERE (?1 IS NULL OR server_id = ?1) AND removed_at IS NOT NULL
         AND EXISTS (SELECT 1 FROM uploads WHERE uploads.id = backups.upload_id AND uploads.state = 'doomed')
       ORDER BY created_at DESC LIMIT ${DOOMED_SHOWN_MAX}`,
      server,
    );
  }

  /** In the lists, of all servers, newest first. */
  newestOfAll(limit: number, pinnedOnly: boolean): BackupRecord[] {
    const where = `WHERE removed_at IS NULL ${pinnedOnly ? "AND pin_json IS NOT NULL" : ""} ORDER BY created_at DESC LIMIT ?`;
    return this.#select(where, limit);
  }

  /** By whom, in which format and where the listed backups of a server were made. */
  shelves(server: string): { host: string; format: BackupResult["format"]; store: BackupResult["store"] }[] {
    return this.#sql
      .exec(
        `SELECT DISTINCT host_id AS host, COALESCE(json_extract(result_json, '$.format'), 'zip') AS format, json_extract(result_json, '$.store') AS store
         FROM backups WHERE server_id = ? AND removed_at IS NULL ORDER BY 1, 2, 3`,
        server,
      )
      .toArray()
      .map((row) => ({
        host: String(row.host),
        format: row.format as BackupResult["format"],
        store: row.store as BackupResult["store"],
      }));
  }

  /** Backups that stand on a snapshot in R2, also those out of the lists. */
  idsOfSnapshot(server: string, snapshot: string): string[] {
    return this.#ofSnapshot(server, snapshot).map(({ id }) => id);
  }

  isPinnedSnapshot(server: string, snapshot: string): boolean {
    return this.#ofSnapshot(server, snapshot).some(({ pin, removedAt }) => pin !== null && removedAt === null);
  }

  #ofSnapshot(server: string, snapshot: string): BackupRecord[] {
    const where = "WHERE server_id = ? AND json_extract(result_json, '$.snapshot') = ? AND json_extract(result_json, '$.store') = 'r2'";
    return this.#select(where, server, snapshot);
  }

  /** The backup of an upload, also one that is out of the lists. */
  byUpload(upload: string): BackupRecord | null {
    return this.#select("WHERE upload_id = ?", upload)[0] ?? null;
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

  /** It is in the lists again. */
  markBack(id: string): void {
    this.#sql.exec("UPDATE backups SET removed_at = NULL WHERE id = ?", id);
  }

  setPin(id: string, pin: Pin | null): void {
    this.#sql.exec("UPDATE backups SET pin_json = ? WHERE id = ?", pin === null ? null : JSON.stringify(pin), id);
  }

  setTags(id: string, tags: readonly string[]): void {
    this.#sql.exec("UPDATE backups SET tags_json = ? WHERE id = ?", tags.length === 0 ? null : JSON.stringify(tags), id);
  }

  #forgetOld(server: string, now: Instant): void {
    this.#sql.exec("DELETE FROM backups WHERE removed_at < ?", now - KEEP_REMOVED_MS);
    this.#sql.exec(
      `DELETE FROM backups WHERE id IN (
         SELECT id FROM backups WHERE server_id = ? AND upload_id IS NULL AND pin_json IS NULL ORDER BY created_at DESC LIMIT -1 OFFSET ?)`,
      ...[server, KEEP_LOCAL_MAX],
    );
  }

  /** The agent's own retention named what it removed: archives, or snapshots by the start of their ids. What lies in R2 is not its to remove. */
  #markPruned(host: string, result: BackupResult): void {
    for (const name of result.pruned) {
      this.#sql.exec(
        `UPDATE backups SET removed_at = ? WHERE server_id = ? AND host_id = ? AND json_extract(result_json, '$.store') <> 'r2' AND pin_json IS NULL
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
        pin: row.pin_json === null ? null : (JSON.parse(String(row.pin_json)) as Pin),
        tags: tagsIn(row.tags_json),
        removedAt: row.removed_at === null ? null : Number(row.removed_at),
      }));
  }
}

/** As a job names a backup to a host. */
export function refOf(backup: BackupRecord): BackupRef {
  if (backup.format === "repository") return { format: "repository", snapshot: backup.snapshot };
  const { archive, store, upload } = backup;
  return { format: "zip", archive, store, ...(upload === undefined ? {} : { upload }) };
}

function tagsIn(json: SqlStorageValue | undefined): string[] {
  return json === null || json === undefined ? [] : (JSON.parse(String(json)) as string[]);
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
