import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { ASSERTION_LIFE_S } from "../../schemas/index.ts";
import { type PrivateKeyJwk, privateKeyJwk } from "../state/identity-table.ts";

/** Jose's name for signatures by Ed25519 (RFC 8037). */
const ALG = "EdDSA";

/** A new key pair, made on this host. The private part never leaves it. */
export function newPrivateKey(): PrivateKeyJwk {
  return privateKeyJwk.parse(generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" }));
}

/** Shows at enrolment that the sender holds the private key of the public key that it sends. */
export function enrolmentProof(key: PrivateKeyJwk, claims: { origin: string; code: string; now: number }): Promise<string> {
  return new SignJWT({ code: claims.code })
    .setProtectedHeader({ alg: ALG })
    .setAudience(claims.origin)
    .setIssuedAt(seconds(claims.now))
    .sign(key);
}

/** Shows at a rotation that whoever holds `key` wants `next` to take its place; signed by each of the two. */
export function rotationProof(
  key: PrivateKeyJwk,
  claims: { origin: string; host: string; next: PrivateKeyJwk; now: number },
): Promise<string> {
  return new SignJWT({ host: claims.host, key: claims.next.x })
    .setProtectedHeader({ alg: ALG })
    .setAudience(claims.origin)
    .setIssuedAt(seconds(claims.now))
    .sign(key);
}

/** What the token endpoint takes in place of a password (RFC 7523 section 3). */
export function clientAssertion(
  key: PrivateKeyJwk,
  claims: { origin: string; host: string; tenant: string; id: string; now: number },
): Promise<string> {
  return new SignJWT({ tenant: claims.tenant })
    .setProtectedHeader({ alg: ALG })
    .setIssuer(claims.host)
    .setSubject(claims.host)
    .setAudience(tokenEndpoint(claims.origin))
    .setJti(claims.id)
    .setIssuedAt(seconds(claims.now))
    .setExpirationTime(seconds(claims.now) + ASSERTION_LIFE_S)
    .sign(key);
}

export function tokenEndpoint(origin: string): string {
  return `${origin}/v1/token`;
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
