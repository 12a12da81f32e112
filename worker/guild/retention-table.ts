import type { Instant, RetentionPolicy } from "../../schemas/index.ts";
import { retentionPolicy } from "../../schemas/index.ts";
import type { BrakeReason } from "../../schemas/retention-brake.ts";

/** The row that holds for all servers without one of their own. */
const ALL = "";

export interface SetPolicy {
  policy: RetentionPolicy;
  /** No plan removes more than this share of a server's backups, from 0 to 1; null for the default. */
  removeShare: number | null;
  changedBy: string;
  changedAt: Instant;
}

/** `host`: the host that made the backups was cut off while some waited for their removal. */
export type FrozenReason =
  | BrakeReason
  /** A prune would take nearly all packs of a repository. */
  | { what: "packs"; way: "removes too much"; now: number; usual: number }
  | { what: "host"; way: "revoked"; now: number; usual: number };

export interface Brake {
  server: string;
  /** Null while retention goes on. */
  frozen: { at: Instant; reasons: FrozenReason[] } | null;
  /** When a member last let it go on; what came before is not compared with any more. */
  acceptedAt: Instant | null;
}

/** What members decided about retention: a policy per server, or one for all, and where the brake is on. */
export class RetentionTable {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** A server's own policy, or the one for all; null when nobody has set any. */
  policyFor(server: string): { set: SetPolicy; own: boolean } | null {
    const own = this.policy(server);
    if (own !== null) return { set: own, own: true };
    const all = this.policy(null);
    return all === null ? null : { set: all, own: false };
  }

  /** @param server Null for the one that holds for all */
  policy(server: string | null): SetPolicy | null {
    const [row] = this.#sql.exec("SELECT * FROM retention_policies WHERE server_id = ?", server ?? ALL).toArray();
    if (row === undefined) return null;
    const { removeShare, ...policy } = JSON.parse(String(row.policy_json)) as RetentionPolicy & { removeShare: number | null };
    return { policy: retentionPolicy.parse(policy), removeShare, changedBy: String(row.changed_by), changedAt: Number(row.changed_at) };
  }

  /** Null takes it away. */
  setPolicy(server: string | null, wanted: Pick<SetPolicy, "policy" | "removeShare"> | null, by: string, now: Instant): void {
    if (wanted === null) {
      this.#sql.exec("DELETE FROM retention_policies WHERE server_id = ?", server ?? ALL);
      return;
    }
    this.#sql.exec(
      `INSERT INTO retention_policies (server_id, policy_json, changed_by, changed_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (server_id) DO UPDATE SET policy_json = excluded.policy_json, changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
      ...[server ?? ALL, JSON.stringify({ ...wanted.policy, removeShare: wanted.removeShare }), by, now],
    );
  }

  brake(server: string): Brake | null {
    return this.#sql.exec("SELECT * FROM retention_brakes WHERE server_id = ?", server).toArray().map(brakeIn)[0] ?? null;
  }

  isFrozen(server: string): boolean {
    return (this.brake(server)?.frozen ?? null) !== null;
  }

  freeze(server: string, reasons: FrozenReason[], now: Instant): void {
    this.#sql.exec(
      "INSERT INTO retention_brakes (server_id, frozen_json) VALUES (?1, ?2) ON CONFLICT (server_id) DO UPDATE SET frozen_json = ?2",
      ...[server, JSON.stringify({ at: now, reasons })],
    );
  }

  /** By this policy a plan of the server was let pass last; null for none. */
  judged(server: string): string | null {
    const [row] = this.#sql.exec("SELECT judged FROM retention_brakes WHERE server_id = ?", server).toArray();
    return row === undefined || row.judged === null ? null : String(row.judged);
  }

  /** Written when it changes only. */
  setJudged(server: string, policy: string): void {
    if (this.judged(server) === policy) return;
    const sql = "INSERT INTO retention_brakes (server_id, judged) VALUES (?1, ?2) ON CONFLICT (server_id) DO UPDATE SET judged = ?2";
    this.#sql.exec(sql, server, policy);
  }

  /** Whether a member has let one prune of a server remove much; it is used up by that. */
  takeAllowance(server: string): boolean {
    const taken = this.#sql.exec(
      "UPDATE retention_brakes SET allowance = 0 WHERE server_id = ? AND allowance = 1 RETURNING server_id",
      server,
    );
    return taken.toArray().length === 1;
  }

  resume(server: string, now: Instant): void {
    this.#sql.exec(
      `INSERT INTO retention_brakes (server_id, accepted_at, allowance) VALUES (?1, ?2, 1)
       ON CONFLICT (server_id) DO UPDATE SET frozen_json = NULL, accepted_at = ?2, allowance = 1`,
      ...[server, now],
    );
  }
}

function brakeIn(row: Record<string, SqlStorageValue>): Brake {
  return {
    server: String(row.server_id),
    frozen: row.frozen_json === null ? null : (JSON.parse(String(row.frozen_json)) as Brake["frozen"]),
    acceptedAt: row.accepted_at === null ? null : Number(row.accepted_at),
  };
}
