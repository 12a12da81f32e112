import type { Instant } from "../../schemas/index.ts";
import { newId } from "../../schemas/index.ts";

/**
 * Archives on their way into R2, and those that arrived.
 * `open` while parts come in, `completed` when R2 has put them together, `doomed` when the objects are to be removed, `removing` from the moment that this
 * was begun: then nobody can bring them back.
 */
export type UploadState = "open" | "completed" | "doomed" | "removing";

export interface UploadRecord {
  id: string;
  objectKey: string;
  multipartId: string;
  host: string;
  server: string;
  job: string | null;
  partBytes: number;
  state: UploadState;
  bytes: number | null;
  createdAt: Instant;
}

/** An upload that was neither completed nor aborted is removed after this time: longer than the longest backup (job-rules.ts). */
export const UPLOAD_LIFE_MS = 26 * 60 * 60_000;
/** A complete archive that no backup claims is removed after this time: longer than agents keep undelivered results (7 days). */
export const UNCLAIMED_LIFE_MS = 8 * 24 * 60 * 60_000;
/** Wait between two tries to remove objects, in milliseconds. */
export const REMOVAL_RETRY_MS = 10 * 60_000;

export class Uploads {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  byId(id: string): UploadRecord | null {
    return this.#select("WHERE id = ?", id)[0] ?? null;
  }

  hasKey(objectKey: string): boolean {
    return this.#select("WHERE object_key = ?", objectKey).length > 0;
  }

  add(upload: Omit<UploadRecord, "id" | "state" | "bytes" | "createdAt">, now: Instant): string {
    const id = newId("upload");
    this.#sql.exec(
      `INSERT INTO uploads (id, object_key, multipart_id, host_id, server_id, job_id, part_bytes, state, created_at, due_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?, ?)`,
      ...[id, upload.objectKey, upload.multipartId, upload.host, upload.server, upload.job, upload.partBytes, now, now + UPLOAD_LIFE_MS],
    );
    return id;
  }

  complete(id: string, bytes: number, now: Instant): boolean {
    const completed = this.#sql.exec(
      "UPDATE uploads SET state = 'completed', bytes = ?, due_at = ? WHERE id = ? AND state IN ('open', 'completed') RETURNING id",
      ...[bytes, now + UNCLAIMED_LIFE_MS, id],
    );
    return completed.toArray().length === 1;
  }

  /** A backup stands on it now: it stays until retention says otherwise. */
  claim(id: string): void {
    this.#sql.exec("UPDATE uploads SET due_at = NULL WHERE id = ? AND state = 'completed'", id);
  }

  /** Marks the objects for removal and says when to try (again). */
  doom(id: string, at: Instant): void {
    this.#sql.exec("UPDATE uploads SET state = 'doomed', due_at = ? WHERE id = ?", at, id);
  }

  /** The objects stay after all: false when their removal has begun. */
  revive(id: string): boolean {
    const revived = this.#sql.exec(
      "UPDATE uploads SET state = 'completed', due_at = NULL WHERE id = ? AND state = 'doomed' AND bytes IS NOT NULL RETURNING id",
      id,
    );
    return revived.toArray().length === 1;
  }

  /** Their removal begins now, and is tried again then. */
  removing(id: string, again: Instant): void {
    this.#sql.exec("UPDATE uploads SET state = 'removing', due_at = ? WHERE id = ?", again, id);
  }

  /** The objects are gone. */
  remove(id: string): void {
    this.#sql.exec("DELETE FROM uploads WHERE id = ?", id);
  }

  due(now: Instant): UploadRecord[] {
    return this.#select("WHERE due_at <= ? ORDER BY due_at LIMIT 50", now);
  }

  nextDue(): Instant | null {
    const row = this.#sql.exec("SELECT MIN(due_at) AS at FROM uploads").one();
    return row.at === null ? null : Number(row.at);
  }

  #select(where: string, ...bindings: unknown[]): UploadRecord[] {
    return this.#sql
      .exec(`SELECT * FROM uploads ${where}`, ...bindings)
      .toArray()
      .map((row) => ({
        id: String(row.id),
        objectKey: String(row.object_key),
        multipartId: String(row.multipart_id),
        host: String(row.host_id),
        server: String(row.server_id),
        job: row.job_id === null ? null : String(row.job_id),
        partBytes: Number(row.part_bytes),
        state: row.state as UploadState,
        bytes: row.bytes === null ? null : Number(row.bytes),
        createdAt: Number(row.created_at),
      }));
  }
}
