import type { Instant } from "../../schemas/index.ts";

/** A host has to be silent for so long to count as having been away, in milliseconds: when it was seen is written every 5 minutes only. */
export const AWAY_AFTER_MS = 10 * 60_000;
/** Kept for so long, in milliseconds. */
const KEEP_MS = 90 * 24 * 60 * 60_000;
/** And at most so many; the oldest go first. */
const KEEP_MAX = 1000;

/** A host that did not poll for a while, and came back. */
export interface Absence {
  id: number;
  host: string;
  from: Instant;
  back: Instant;
}

/** When hosts were away. One row each time, written when it is back. */
export class Absences {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  add(host: string, from: Instant, back: Instant): void {
    this.#sql.exec("DELETE FROM absences WHERE back_at < ?", back - KEEP_MS);
    this.#sql.exec("DELETE FROM absences WHERE id <= (SELECT MAX(id) FROM absences) - ?", KEEP_MAX);
    this.#sql.exec("INSERT INTO absences (host_id, from_at, back_at) VALUES (?, ?, ?)", host, from, back);
  }

  /** Newest first. */
  of(host: string, limit: number): Absence[] {
    return this.#sql
      .exec("SELECT * FROM absences WHERE host_id = ? ORDER BY id DESC LIMIT ?", host, limit)
      .toArray()
      .map((row) => ({ id: Number(row.id), host: String(row.host_id), from: Number(row.from_at), back: Number(row.back_at) }));
  }
}
