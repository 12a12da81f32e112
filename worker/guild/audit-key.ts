import type { AuditMark, Instant } from "../../schemas/index.ts";
import { auditMarkText } from "../../schemas/index.ts";

const encoder = new TextEncoder();
/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7). */
const PKCS8_PREFIX = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/** Signs places in a guild's audit chain. The key follows from TOKEN_SECRET, so there is nothing more to keep; it never leaves the Worker. */
export async function signAuditMark(secret: string, guild: string, place: { seq: number; hash: string }, at: Instant): Promise<AuditMark> {
  const key = await auditKey(secret, guild);
  const signature = await crypto.subtle.sign("Ed25519", key.privateKey, encoder.encode(auditMarkText(guild, { ...place, at })));
  return { ...place, at, signature: base64url(new Uint8Array(signature)), publicKey: key.publicKey };
}

/** The public half, by which `reconsync audit verify` checks an export. */
export async function auditPublicKey(secret: string, guild: string): Promise<string> {
  return (await auditKey(secret, guild)).publicKey;
}

async function auditKey(secret: string, guild: string): Promise<{ privateKey: CryptoKey; publicKey: string }> {
  const base = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveBits"]);
  const salt = encoder.encode(`reconsync/${guild}`);
  const seed = await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: encoder.encode("audit") }, base, 256);
  const pkcs8 = new Uint8Array([...PKCS8_PREFIX, ...new Uint8Array(seed)]);
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, { name: "Ed25519" }, true, ["sign"]);
  const { x } = (await crypto.subtle.exportKey("jwk", privateKey)) as JsonWebKey;
  if (x === undefined) throw new Error("the audit key has no public half");
  return { privateKey, publicKey: x };
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
