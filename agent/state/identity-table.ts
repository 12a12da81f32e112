import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { hostId, instant, tenant } from "../../schemas/index.ts";

/** An Ed25519 private key as a JWK (RFC 8037). */
export const privateKeyJwk = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string(), d: z.string() });
export type PrivateKeyJwk = z.infer<typeof privateKeyJwk>;

/** Who this host is to the control plane. */
export interface Identity {
  /** Such as `https://reconsync.example.workers.dev`. */
  origin: string;
  host: z.infer<typeof hostId>;
  tenant: string;
  /** Name that the guild gave the host. */
  name: string;
  privateKey: PrivateKeyJwk;
  /** The key that takes its place, while it is not known whether the control plane has taken it. */
  nextKey?: PrivateKeyJwk;
  enrolledAt: number;
  /** When the control plane said that it no longer knows this host. */
  revokedAt?: number;
}

const row = z.object({
  origin: z.string(),
  host: hostId,
  tenant,
  name: z.string(),
  private_key: z.string(),
  next_key: z.nullable(z.string()),
  enrolled_at: instant,
  revoked_at: z.nullable(instant),
});

/** One row at most: a host has one identity. */
export class IdentityTable {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get(): Identity | undefined {
    const found = this.#db.prepare("SELECT * FROM identity").get();
    if (found === undefined) return undefined;
    const { private_key, next_key, enrolled_at, revoked_at, ...rest } = row.parse(found);
    return {
      ...rest,
      privateKey: keyOf(private_key),
      ...(next_key === null ? {} : { nextKey: keyOf(next_key) }),
      enrolledAt: enrolled_at,
      ...(revoked_at === null ? {} : { revokedAt: revoked_at }),
    };
  }

  replace(identity: Identity): void {
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO identity (one, origin, host, tenant, name, private_key, enrolled_at, revoked_at)
         VALUES (1, ?, ?, ?, ?, ?, ?, NULL)`,
      )
      .run(identity.origin, identity.host, identity.tenant, identity.name, JSON.stringify(identity.privateKey), identity.enrolledAt);
  }

  /** Keeps a key that is to take the place of the one in use. One that waits already stays: it may have been taken. */
  keepNext(host: string, next: PrivateKeyJwk): void {
    this.#db.prepare("UPDATE identity SET next_key = ? WHERE host = ? AND next_key IS NULL").run(JSON.stringify(next), host);
  }

  /** The control plane has taken the next key: it is the key from now on. Nothing happens when another process was faster. */
  promoteNext(host: string, next: PrivateKeyJwk): void {
    this.#db
      .prepare("UPDATE identity SET private_key = next_key, next_key = NULL WHERE host = ? AND next_key = ?")
      .run(host, JSON.stringify(next));
  }

  /** Remembers that this identity is refused, unless another has taken its place meanwhile. */
  revoke(host: string, now: number): void {
    this.#db.prepare("UPDATE identity SET revoked_at = ? WHERE host = ? AND revoked_at IS NULL").run(now, host);
  }
}

function keyOf(text: string): PrivateKeyJwk {
  return privateKeyJwk.parse(JSON.parse(text));
}
