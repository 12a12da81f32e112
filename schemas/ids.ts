import * as z from "zod/mini";

/**
 * Identifiers that cross a boundary. Each is a string with a fixed alphabet, so that it can stand in a path,
 * a key or a custom_id without escaping.
 */

const random = "[0-9a-z]{16}";

/** A game server, named by the admin in `config.yaml`; unique within a guild. */
export const serverId = z
  .string()
  .check(z.regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, "use 1 to 32 of a-z, 0-9 and -, not starting or ending with -"));
export const hostId = z.string().check(z.regex(new RegExp(`^host_${random}$`)));
export const jobId = z.string().check(z.regex(new RegExp(`^job_${random}$`)));
export const leaseId = z.string().check(z.regex(new RegExp(`^lease_${random}$`)));
export const uploadId = z.string().check(z.regex(new RegExp(`^upload_${random}$`)));
export const backupId = z.string().check(z.regex(new RegExp(`^backup_${random}$`)));

/** Which guild a host belongs to, with a tag by which the Worker knows that it issued this name itself. */
export const tenant = z.string().check(z.regex(/^[0-9a-z]{1,16}-[0-9a-z]{8}$/));
/** One-time enrolment code: the tenant, then 100 random bits. */
export const enrolmentCode = z.string().check(z.regex(/^[0-9a-z]{1,16}-[0-9a-z]{8}-[0-9a-z]{20}$/));

/** A Discord snowflake. */
export const snowflake = z.string().check(z.regex(/^[0-9]{1,20}$/));

/** Milliseconds since the Unix epoch. */
export const instant = z.int().check(z.nonnegative());

export type ServerId = z.infer<typeof serverId>;
export type HostId = z.infer<typeof hostId>;
export type JobId = z.infer<typeof jobId>;
export type LeaseId = z.infer<typeof leaseId>;
export type UploadId = z.infer<typeof uploadId>;
export type BackupId = z.infer<typeof backupId>;
export type Tenant = z.infer<typeof tenant>;
export type EnrolmentCode = z.infer<typeof enrolmentCode>;
export type Snowflake = z.infer<typeof snowflake>;
export type Instant = z.infer<typeof instant>;

/** Crockford's base 32 in lower case: no i, l, o, u. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** `length` characters of 5 random bits each. */
export function randomText(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => ALPHABET[byte & 31]).join("");
}

/** The first characters of a digest in the same alphabet, 5 bits each. */
export function textOfBytes(bytes: Uint8Array, length: number): string {
  return Array.from(bytes.subarray(0, length), (byte) => ALPHABET[byte & 31]).join("");
}

/** A new identifier such as `job_4m8s…`, with 80 random bits. */
export function newId<P extends "host" | "job" | "lease" | "upload" | "backup" | "restore">(prefix: P): `${P}_${string}` {
  return `${prefix}_${randomText(16)}`;
}
