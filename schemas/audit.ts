import * as z from "zod/mini";
import { instant, snowflake } from "./ids.ts";

/**
 * The audit log as it is exported: JSON lines. A header, the rows oldest first, and the head. Each row's hash covers the hash before it, so
 * that no row can be changed, left out or put in without breaking every later one; the head is signed, so that none can be cut off.
 */

export const AUDIT_VERSION = 1;

const digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const count = z.int().check(z.nonnegative());
/** Ed25519, base64url: 64 bytes. */
const signature = z.string().check(z.regex(/^[A-Za-z0-9_-]{86}$/));
/** Ed25519, the `x` of its JWK. */
const publicKey = z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/));

/** The hash before the very first row. */
export const AUDIT_GENESIS = "0".repeat(64);

/** A place in the chain, signed by the guild's audit key: row `seq` had this hash at that time. */
export const auditMark = z.object({ seq: count, hash: digest, at: instant, signature, publicKey });
export type AuditMark = z.infer<typeof auditMark>;

export const auditHeader = z.object({
  kind: z.literal("header"),
  version: z.literal(AUDIT_VERSION),
  guild: snowflake,
  exportedAt: instant,
  /** The row before the first one of this file; 0 and zeros at the very beginning. */
  after: z.object({ seq: count, hash: digest }),
  /** Rows up to this one were removed for their age or number. */
  checkpoint: z.nullable(auditMark),
});
export type AuditHeader = z.infer<typeof auditHeader>;

export const auditRow = z.object({
  kind: z.literal("row"),
  seq: count,
  at: instant,
  entry: z.record(z.string(), z.unknown()),
  hash: digest,
});
export type AuditRow = z.infer<typeof auditRow>;

/** The newest row, signed. */
export const auditHead = z.object({ kind: z.literal("head"), ...auditMark.shape });
export type AuditHead = z.infer<typeof auditHead>;

export const auditLine = z.discriminatedUnion("kind", [auditHeader, auditRow, auditHead]);

/** What a row's SHA-256 is taken of, as UTF-8. */
export function auditRowText(before: string, row: { seq: number; at: number; entry: unknown }): string {
  return `${before}\n${row.seq}\n${row.at}\n${canonicalJson(row.entry)}`;
}

/** What a mark's signature is made of, as UTF-8. */
export function auditMarkText(guild: string, mark: { seq: number; hash: string; at: number }): string {
  return `reconsync audit\n${guild}\n${mark.seq}\n${mark.hash}\n${mark.at}`;
}

/** JSON with the keys of every object in order and no spaces: the same value always gives the same text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${sorted.map(([key, one]) => `${JSON.stringify(key)}:${canonicalJson(one)}`).join(",")}}`;
  }
  return JSON.stringify(value ?? null);
}
