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
    const { private_key, enrolled_at, revoked_at, ...rest } = row.parse(found);
    const privateKey = privateKeyJwk.parse(JSON.parse(private_key));
    return { ...rest, privateKey, enrolledAt: enrolled_at, ...(revoked_at === null ? {} : { revokedAt: revoked_at }) };
  }

  replace(identity: Identity): void {
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO identity (one, origin, host, tenant, name, private_key, enrolled_at, revoked_at)
         VALUES (1, ?, ?, ?, ?, ?, ?, NULL)`,
      )
      .run(identity.origin, identity.host, identity.tenant, identity.name, JSON.stringify(identity.privateKey), identity.enrolledAt);
  }

  /** Remembers that this identity is refused, unless another has taken its place meanwhile. */
  revoke(host: string, now: number): void {
    this.#db.prepare("UPDATE identity SET revoked_at = ? WHERE host = ? AND revoked_at IS NULL").run(now, host);
  }
}
