import type { Instant } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";

/** A code can be used for so long, in milliseconds (architecture decision 5). */
export const CODE_LIFE_MS = 10 * 60_000;

/** One-time enrolment codes. Only their SHA-256 is kept. */
export class EnrolmentCodes {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Adding the same code again changes nothing (`fresh` is false then), so that a command delivered twice acts once. */
  add(code: { hash: string; hostName: string; createdBy: string }, now: Instant): { expiresAt: Instant; fresh: boolean } {
    const there = this.#sql.exec("SELECT expires_at FROM enrolment_codes WHERE hash = ?", code.hash).toArray()[0];
    if (there !== undefined) return { expiresAt: Number(there.expires_at), fresh: false };
    this.#sql.exec("DELETE FROM enrolment_codes WHERE expires_at < ?", now - CODE_LIFE_MS);
    this.#sql.exec(
      "INSERT INTO enrolment_codes (hash, host_name, created_by, expires_at) VALUES (?, ?, ?, ?)",
      ...[code.hash, code.hostName, code.createdBy, now + CODE_LIFE_MS],
    );
    return { expiresAt: now + CODE_LIFE_MS, fresh: true };
  }

  /**
   * Uses a code up, unless `objection` has something against its host name. The conditional update decides when two hosts come with the
   * same code.
   */
  use(hash: string, objection: (hostName: string) => Refusal | null, now: Instant): { hostName: string; createdBy: string } | Refusal {
    const row = this.#sql.exec("SELECT * FROM enrolment_codes WHERE hash = ?", hash).toArray()[0];
    if (row === undefined) return refuse("code-invalid");
    if (row.used_at !== null) return refuse("code-used");
    if (Number(row.expires_at) <= now) return refuse("code-expired");
    const objected = objection(String(row.host_name));
    if (objected !== null) return objected;
    const used = this.#sql.exec("UPDATE enrolment_codes SET used_at = ? WHERE hash = ? AND used_at IS NULL RETURNING hash", now, hash);
    if (used.toArray().length !== 1) return refuse("code-used");
    return { hostName: String(row.host_name), createdBy: String(row.created_by) };
  }
}
