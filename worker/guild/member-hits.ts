import type { Instant } from "../../schemas/index.ts";
import type { Hit, RateClass, RateLimit } from "./rate-rules.ts";
import { admitHit, RATE_WINDOW_MAX_MS } from "./rate-rules.ts";

/** How often each member used commands lately. In the database, since memory is lost when the object hibernates. */
export class MemberHits {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Counts one use. `again`: this very interaction was counted before. `until`: when there is room for the next use. */
  take(member: string, rate: RateClass, key: string, limit: RateLimit, now: Instant): { again: boolean } | { until: Instant } {
    const row = this.#sql.exec("SELECT hits_json FROM member_hits WHERE member_id = ? AND rate = ?", member, rate).toArray()[0];
    const hits = row === undefined ? [] : (JSON.parse(String(row.hits_json)) as Hit[]);
    const verdict = admitHit(hits, key, limit, now);
    if (!verdict.allowed) return { until: verdict.until };
    if (!verdict.again) {
      if (row === undefined) this.#sql.exec("DELETE FROM member_hits WHERE last_at < ?", now - RATE_WINDOW_MAX_MS);
      this.#sql.exec(
        `INSERT INTO member_hits (member_id, rate, hits_json, last_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (member_id, rate) DO UPDATE SET hits_json = excluded.hits_json, last_at = excluded.last_at`,
        ...[member, rate, JSON.stringify(verdict.hits), now],
      );
    }
    return { again: verdict.again };
  }
}
