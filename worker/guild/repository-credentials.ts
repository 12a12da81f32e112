import type { Instant } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";

/** A credential with which the `restic` program uses one server's repository. */
export interface CredentialRecord {
  id: number;
  server: string;
  mayWrite: boolean;
  createdAt: Instant;
  createdBy: string;
  expiresAt: Instant;
  revokedAt: Instant | null;
  /** When and from where it was used last, as far as it was written down: once a day. */
  usedAt: Instant | null;
  usedFrom: string | null;
}

const DAY_MS = 24 * 60 * 60_000;

/** How long a credential works, in days. */
export const CREDENTIAL_DAYS_DEFAULT = 7;
export const CREDENTIAL_DAYS_MAX = 90;
/** Credentials of a guild that work at the same time. */
export const CREDENTIALS_MAX = 50;
/** One that no longer works is remembered so long, in milliseconds, so that whoever uses it hears why. */
const KEEP_MS = 30 * DAY_MS;
/** Its use is written down at most so often, in milliseconds: restic makes many requests, and rows are scarce. */
export const USE_NOTED_EVERY_MS = DAY_MS;

/** Credentials of the `restic` program. Only the SHA-256 of each is kept. */
export class RepositoryCredentials {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Adding the same one again changes nothing (`fresh` is false then), so that a command delivered twice acts once. */
  add(
    { hash, server, mayWrite, days, createdBy }: { hash: string; server: string; mayWrite: boolean; days: number; createdBy: string },
    now: Instant,
  ): { credential: CredentialRecord; fresh: boolean } {
    const there = this.byHash(hash);
    if (there !== null) return { credential: there, fresh: false };
    this.#sql.exec("DELETE FROM repository_credentials WHERE expires_at < ?1 OR revoked_at < ?1", now - KEEP_MS);
    this.#sql.exec(
      "INSERT INTO repository_credentials (hash, server_id, may_write, created_at, created_by, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
      ...[hash, server, mayWrite ? 1 : 0, now, createdBy, now + days * DAY_MS],
    );
    const added = this.byHash(hash);
    if (added === null) throw new Error("the new credential is gone");
    return { credential: added, fresh: true };
  }

  byHash(hash: string): CredentialRecord | null {
    return this.#select("WHERE hash = ?", hash)[0] ?? null;
  }

  byId(id: number): CredentialRecord | null {
    return this.#select("WHERE id = ?", id)[0] ?? null;
  }

  /** One that works, or why it does not. */
  working(hash: string, now: Instant): CredentialRecord | Refusal {
    const found = this.byHash(hash);
    if (found === null) return refuse("credential-invalid");
    if (found.revokedAt !== null) return refuse("credential-revoked");
    return found.expiresAt > now ? found : refuse("credential-expired");
  }

  /** Those that work, those that run out first at the top. */
  allWorking(now: Instant): CredentialRecord[] {
    return this.#select("WHERE revoked_at IS NULL AND expires_at > ? ORDER BY expires_at, id", now);
  }

  revoke(id: number, now: Instant): void {
    this.#sql.exec("UPDATE repository_credentials SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, id);
  }

  noteUse(id: number, from: string | null, now: Instant): void {
    this.#sql.exec("UPDATE repository_credentials SET used_at = ?, used_from = ? WHERE id = ?", now, from, id);
  }

  #select(where: string, ...bindings: unknown[]): CredentialRecord[] {
    const rows = this.#sql.exec<Record<string, string | number | null>>(`SELECT * FROM repository_credentials ${where}`, ...bindings);
    return rows.toArray().map((row) => ({
      id: Number(row.id),
      server: String(row.server_id),
      mayWrite: row.may_write === 1,
      createdAt: Number(row.created_at),
      createdBy: String(row.created_by),
      expiresAt: Number(row.expires_at),
      revokedAt: row.revoked_at === null ? null : Number(row.revoked_at),
      usedAt: row.used_at === null ? null : Number(row.used_at),
      usedFrom: row.used_from === null ? null : String(row.used_from),
    }));
  }
}
