import type { Heartbeat, HostLoad, Instant, ServerStatus } from "../../schemas/index.ts";
import { newId } from "../../schemas/index.ts";

export interface HostRecord {
  id: string;
  name: string;
  publicKey: string;
  createdAt: Instant;
  createdBy: string;
  revokedAt: Instant | null;
  /** Last sign of life that was written down; what is newer stands in memory, see presence.ts. */
  seenAt: Instant | null;
  heartbeat: Heartbeat | null;
  announcedHash: string | null;
  status: HostStatus | null;
}

/** What a host said of itself and its servers with its last poll. */
export interface HostStatus {
  at: Instant;
  servers: ServerStatus[];
  load?: HostLoad;
}

/** Hosts that a guild may have. */
export const HOSTS_MAX = 1000;
/** Names by which people know their hosts. */
export const HOST_NAME_MAX = 40;

/** The table of hosts. A revoked host stays, so that its history keeps a name. */
export class Hosts {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  byId(id: string): HostRecord | null {
    return this.#select("WHERE id = ?", id)[0] ?? null;
  }

  /** An active host by its name, in any case. */
  byName(name: string): HostRecord | null {
    return this.#select("WHERE name = ? COLLATE NOCASE AND revoked_at IS NULL", name)[0] ?? null;
  }

  active(): HostRecord[] {
    return this.#select("WHERE revoked_at IS NULL ORDER BY name COLLATE NOCASE");
  }

  add(host: { name: string; publicKey: string; createdBy: string; heartbeat: Heartbeat }, now: Instant): HostRecord {
    const id = newId("host");
    this.#sql.exec(
      "INSERT INTO hosts (id, name, public_key, created_at, created_by, seen_at, heartbeat_json) VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...[id, host.name, host.publicKey, now, host.createdBy, now, JSON.stringify(host.heartbeat)],
    );
    const added = this.byId(id);
    if (added === null) throw new Error(`host ${id} is gone`);
    return added;
  }

  revoke(id: string, by: string, now: Instant): boolean {
    const revoked = this.#sql.exec(
      "UPDATE hosts SET revoked_at = ?, revoked_by = ? WHERE id = ? AND revoked_at IS NULL RETURNING id",
      ...[now, by, id],
    );
    return revoked.toArray().length === 1;
  }

  setSeen(id: string, at: Instant, heartbeat: Heartbeat, status: HostStatus): void {
    this.#sql.exec(
      "UPDATE hosts SET seen_at = ?, heartbeat_json = ?, status_json = ? WHERE id = ?",
      ...[at, JSON.stringify(heartbeat), JSON.stringify(status), id],
    );
  }

  setAnnounced(id: string, hash: string): void {
    this.#sql.exec("UPDATE hosts SET announced_hash = ? WHERE id = ?", hash, id);
  }

  /** Makes every host announce its servers anew with its next poll. */
  forgetAnnounced(): void {
    this.#sql.exec("UPDATE hosts SET announced_hash = NULL WHERE revoked_at IS NULL AND announced_hash IS NOT NULL");
  }

  #select(where: string, ...bindings: unknown[]): HostRecord[] {
    const rows = this.#sql.exec<Record<string, string | number | null>>(`SELECT * FROM hosts ${where}`, ...bindings).toArray();
    return rows.map((row) => ({
      id: String(row.id),
      name: String(row.name),
      publicKey: String(row.public_key),
      createdAt: Number(row.created_at),
      createdBy: String(row.created_by),
      revokedAt: row.revoked_at === null ? null : Number(row.revoked_at),
      seenAt: row.seen_at === null ? null : Number(row.seen_at),
      heartbeat: row.heartbeat_json ? JSON.parse(String(row.heartbeat_json)) : null,
      announcedHash: row.announced_hash === null ? null : String(row.announced_hash),
      status: row.status_json ? JSON.parse(String(row.status_json)) : null,
    }));
  }
}
