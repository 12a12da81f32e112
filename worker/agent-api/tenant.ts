import { enrolmentCode, tenant, textOfBytes } from "../../schemas/index.ts";

/**
 * A tenant names a guild together with a tag that only this Worker can make, so that a made-up name never wakes an object.
 * The tag has 40 bits; it keeps strangers from creating objects, it is no credential.
 */

const encoder = new TextEncoder();
const TAG_LENGTH = 8;
const SECRET_LENGTH = 20;

/** `3f9k…-a1b2c3d4` for a guild. */
export async function tenantFor(secret: string, guildId: string): Promise<string> {
  return `${BigInt(guildId).toString(36)}-${textOfBytes(await mac(secret, `tenant/${guildId}`), TAG_LENGTH)}`;
}

/** The guild behind a tenant, or null when this Worker did not issue it. */
export async function guildOfTenant(secret: string, name: string): Promise<string | null> {
  if (!tenant.safeParse(name).success) return null;
  const [digits = ""] = name.split("-");
  const guildId = fromBase36(digits);
  return guildId !== null && sameText(await tenantFor(secret, guildId), name) ? guildId : null;
}

/**
 * The enrolment code that one interaction gets. It is derived, not drawn, so that the same command delivered twice shows the same code;
 * 100 bits of it are as secret as TOKEN_SECRET.
 */
export async function enrolmentCodeFor(secret: string, guildId: string, interactionId: string): Promise<string> {
  const bytes = await mac(secret, `enrolment/${guildId}/${interactionId}`);
  return `${await tenantFor(secret, guildId)}-${textOfBytes(bytes, SECRET_LENGTH)}`;
}

/** The tenant part of a code, or null when it does not look like one. */
export function tenantOfCode(code: string): string | null {
  return enrolmentCode.safeParse(code).success ? code.slice(0, code.lastIndexOf("-")) : null;
}

export async function sha256Text(text: string): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text))));
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** HMAC-SHA-256 of a text. */
export async function mac(secret: string, text: string): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
}

function fromBase36(digits: string): string | null {
  let value = 0n;
  for (const digit of digits) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  // A snowflake has 64 bits.
  return value < 1n << 64n ? value.toString() : null;
}

/** Compares in a time that does not tell where they differ. */
export function sameText(a: string, b: string): boolean {
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  return left.byteLength === right.byteLength && crypto.subtle.timingSafeEqual(left, right);
}
