import type { Heartbeat, HostLoad, Instant, ServerStatus } from "../../schemas/index.ts";
import { newId } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";

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
  /** Since when its key is the one that it is, when that was changed after the enrolment. */
  keyChangedAt: Instant | null;
  /** Addresses and ranges that it may call from; empty for all. */
  allowlist: string[];
  /** From where it called when it last got a token. */
  address: string | null;
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
/** Client assertions of one host that may be good at the same time. An agent makes one in 13 minutes, and each is good for at most 3. */
export const ASSERTIONS_MAX = 20;

/** A client assertion that was used, and until when it would still be good, in seconds. */
interface UsedAssertion {
  jti: string;
  until: number;
}

/** The table of hosts. A revoked host stays, so that its history keeps a name. */
export class Hosts {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  byId(id: string): HostRecord | null {
    return this.#select("WHERE id = ?", id)[0] ?? null;
  }

  /** A host that has access, or why it has none. */
  access(id: string): HostRecord | Refusal {
    const record = this.byId(id);
    if (record === null) return refuse("host-unknown");
    return record.revokedAt === null ? record : refuse("host-revoked");
  }

  /** An active host by its name, in any case. */
  byName(name: string): HostRecord | null {
    return this.#select("WHERE name = ? COLLATE NOCASE AND revoked_at IS NULL", name)[0] ?? null;
  }

  active(): HostRecord[] {
    return this.#select("WHERE revoked_at IS NULL ORDER BY name COLLATE NOCASE");
  }

  add(
    host: { name: string; publicKey: string; createdBy: string; heartbeat: Heartbeat; address: string | null },
    now: Instant,
  ): HostRecord {
    const id = newId("host");
    this.#sql.exec(
      "INSERT INTO hosts (id, name, public_key, created_at, created_by, seen_at, heartbeat_json, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      ...[id, host.name, host.publicKey, now, host.createdBy, now, JSON.stringify(host.heartbeat), host.address],
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

  /**
   * Uses a client assertion up, and keeps from where it came. `replayed`: it was used before. `full`: so many are good at this moment
   * that one more could not be remembered. One row written.
   */
  useAssertion(id: string, used: UsedAssertion, address: string | null, now: Instant): "fresh" | "replayed" | "full" {
    const row = this.#sql.exec("SELECT assertions_json FROM hosts WHERE id = ?", id).one();
    const all = row.assertions_json === null ? [] : (JSON.parse(String(row.assertions_json)) as UsedAssertion[]);
    const good = all.filter(({ until }) => until > now / 1000);
    if (good.some(({ jti }) => jti === used.jti)) return "replayed";
    if (good.length >= ASSERTIONS_MAX) return "full";
    this.#sql.exec("UPDATE hosts SET assertions_json = ?, address = ? WHERE id = ?", JSON.stringify([...good, used]), address, id);
    return "fresh";
  }

  /** Puts the new key in the place of the old one. False when that is no longer the host's, or the host was revoked. */
  rotateKey(id: string, keys: { from: string; to: string }, now: Instant): boolean {
    const rotated = this.#sql.exec(
      "UPDATE hosts SET public_key = ?, key_changed_at = ? WHERE id = ? AND public_key = ? AND revoked_at IS NULL RETURNING id",
      ...[keys.to, now, id, keys.from],
    );
    return rotated.toArray().length === 1;
  }

  /** An empty list allows every address. */
  setAllowlist(id: string, list: string[]): void {
    this.#sql.exec("UPDATE hosts SET allowlist_json = ? WHERE id = ?", list.length === 0 ? null : JSON.stringify(list), id);
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
      keyChangedAt: row.key_changed_at === null ? null : Number(row.key_changed_at),
      allowlist: row.allowlist_json ? JSON.parse(String(row.allowlist_json)) : [],
      address: row.address === null ? null : String(row.address),
    }));
  }
}
