import type { Instant } from "../../schemas/index.ts";

/**
 * Interactions are remembered so long, in milliseconds: twice as far as Discord's signed time may be off (TIMESTAMP_SLACK_MS). Later the
 * same request is refused for its age.
 */
export const REMEMBER_MS = 10 * 60_000;

/** Interactions that have done something, so that the same one delivered or played back again does it no second time. */
export class Acted {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  has(key: string): boolean {
    return this.#sql.exec("SELECT 1 FROM acted WHERE key = ?", key).toArray().length > 0;
  }

  add(key: string, now: Instant): void {
    this.#sql.exec("DELETE FROM acted WHERE at < ?", now - REMEMBER_MS);
    this.#sql.exec("INSERT INTO acted (key, at) VALUES (?, ?) ON CONFLICT DO NOTHING", key, now);
  }
}
