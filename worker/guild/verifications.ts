import type { Instant, Verification } from "../../schemas/index.ts";

export interface VerificationRecord {
  host: string;
  verification: Verification;
}

/** The last of each check, and the last drill that passed. */
export type VerificationSlot = Verification["check"] | "proven";

/** Rows in all; those that were not renewed for longest go first. Each server that is verified has three, and a guild of 50 hosts has fewer. */
const ROWS_MAX = 1000;

/** What hosts told last of whether backups can be restored. */
export class Verifications {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  of(server: string, slot: VerificationSlot): VerificationRecord | null {
    const row = this.#sql
      .exec("SELECT host_id, verification_json FROM verifications WHERE server_id = ? AND slot = ?", server, slot)
      .toArray()[0];
    return row === undefined
      ? null
      : { host: String(row.host_id), verification: JSON.parse(String(row.verification_json)) as Verification };
  }

  put(host: string, slot: VerificationSlot, verification: Verification, now: Instant): void {
    this.#sql.exec(
      `INSERT INTO verifications (server_id, slot, host_id, verification_json, told_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (server_id, slot) DO UPDATE SET host_id = excluded.host_id, verification_json = excluded.verification_json, told_at = excluded.told_at`,
      ...[verification.server, slot, host, JSON.stringify(verification), now],
    );
    this.#sql.exec(
      "DELETE FROM verifications WHERE (server_id, slot) IN (SELECT server_id, slot FROM verifications ORDER BY told_at DESC LIMIT -1 OFFSET ?)",
      ROWS_MAX,
    );
  }
}
