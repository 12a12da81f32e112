import type { Instant } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import type { Grant, Tier } from "./access-rules.ts";

/** Grants that a guild may have: each decision reads them all. */
export const GRANTS_MAX = 200;

export interface GrantRecord extends Grant {
  grantedBy: string;
  grantedAt: Instant;
}

/** The table of grants. */
export class Grants {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  all(): GrantRecord[] {
    return this.#sql
      .exec("SELECT * FROM grants ORDER BY id")
      .toArray()
      .map((row) => ({
        id: Number(row.id),
        subject: { kind: row.subject_kind === "role" ? "role" : "member", id: String(row.subject_id) },
        tier: row.tier as Tier,
        command: row.command === null ? null : String(row.command),
        server: row.server_id === null ? null : String(row.server_id),
        grantedBy: String(row.granted_by),
        grantedAt: Number(row.granted_at),
      }));
  }

  /** The same grant twice is one. `fresh` is false when it was there already. */
  add(grant: Omit<Grant, "id">, by: string, now: Instant): { grant: GrantRecord; fresh: boolean } | Refusal {
    const all = this.all();
    const there = all.find((one) => sameGrant(one, grant));
    if (there !== undefined) return { grant: there, fresh: false };
    if (all.length >= GRANTS_MAX) return refuse("grant-limit", { limit: String(GRANTS_MAX) });
    this.#sql.exec(
      "INSERT INTO grants (subject_kind, subject_id, tier, command, server_id, granted_by, granted_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...[grant.subject.kind, grant.subject.id, grant.tier, grant.command, grant.server, by, now],
    );
    const added = this.all().at(-1);
    if (added === undefined) throw new Error("the grant is gone");
    return { grant: added, fresh: true };
  }

  remove(id: number): boolean {
    return this.#sql.exec("DELETE FROM grants WHERE id = ? RETURNING id", id).toArray().length === 1;
  }
}

/** Whether two grants give the same. */
export function sameGrant(a: Omit<Grant, "id">, b: Omit<Grant, "id">): boolean {
  const fields = (one: Omit<Grant, "id">) => [one.subject.kind, one.subject.id, one.tier, one.command, one.server].join("\n");
  return fields(a) === fields(b);
}
