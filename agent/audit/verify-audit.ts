import { createHash, createPublicKey, verify } from "node:crypto";
import {
  AUDIT_GENESIS,
  type AuditHeader,
  type AuditMark,
  type AuditRow,
  auditLine,
  auditMarkText,
  auditRowText,
} from "../../schemas/index.ts";
import { AgentError, EXIT } from "../errors.ts";

export interface AuditReport {
  guild: string;
  rows: number;
  /** Numbers of the first and last row; null when there is none. */
  first: number | null;
  last: number | null;
  /** Ed25519 key that signed the head: compare it with the one that `/audit` shows. */
  publicKey: string;
  /** Whether the chain begins at the very first row; otherwise at a signed checkpoint, or somewhere in the middle. */
  begins: "first-row" | "checkpoint" | "middle";
  exportedAt: number;
}

/**
 * Checks an exported audit log: every hash, the numbers without a gap, and the signatures.
 * @param key the guild's audit key, when the caller knows it; otherwise the key of the file itself is only reported
 * @throws AgentError `audit-broken` naming the line; `audit-unreadable` when it is no export of ours
 */
export function verifyAudit(text: string, key: string | undefined): AuditReport {
  const lines = text.split("\n");
  // The head's line ends with a line break; nothing may follow it.
  if (lines.pop() !== "") throw broken(lines.length + 1, "the file does not end with a line break, so something of it is missing");
  const parsed = lines.map((line, index) => parseLine(line, index + 1));
  const [header, ...rest] = parsed;
  if (header?.kind !== "header") throw broken(1, "the first line is not the header");
  const head = rest.pop();
  if (head?.kind !== "head") throw broken(lines.length, "the last line is not the signed head: the file was cut off");
  let before = header.after;
  let first: number | null = null;
  for (const [index, row] of rest.entries()) {
    if (row.kind !== "row") throw broken(index + 2, "a header or head stands in the middle");
    before = follow(before, row, index + 2);
    first ??= row.seq;
  }
  if (head.seq !== before.seq || head.hash !== before.hash) throw broken(lines.length, "the head is not that of the last row");
  if (key !== undefined && head.publicKey !== key) {
    throw broken(lines.length, `it is signed by another key (${head.publicKey}) than the one given`);
  }
  if (!signed(header.guild, head)) throw broken(lines.length, "the head's signature is wrong");
  const begins = beginning(header, head.publicKey);
  const last = first === null ? null : before.seq;
  return { guild: header.guild, rows: rest.length, first, last, publicKey: head.publicKey, begins, exportedAt: header.exportedAt };
}

function follow(before: { seq: number; hash: string }, row: AuditRow, line: number): { seq: number; hash: string } {
  if (row.seq !== before.seq + 1) throw broken(line, `row ${row.seq} stands where row ${before.seq + 1} should`);
  const hash = createHash("sha256").update(auditRowText(before.hash, row)).digest("hex");
  if (hash !== row.hash) throw broken(line, `row ${row.seq} or the one before it was changed: its hash does not fit`);
  return { seq: row.seq, hash };
}

function beginning({ guild, after, checkpoint }: AuditHeader, publicKey: string): AuditReport["begins"] {
  if (checkpoint !== null) {
    if (!signed(guild, checkpoint)) throw broken(1, "the checkpoint's signature is wrong");
    if (checkpoint.publicKey !== publicKey) throw broken(1, "checkpoint and head are signed by different keys");
    if (checkpoint.seq === after.seq) {
      if (checkpoint.hash !== after.hash) throw broken(1, "the checkpoint does not fit the first row");
      return "checkpoint";
    }
  }
  if (after.seq > 0) return "middle";
  if (after.hash !== AUDIT_GENESIS) throw broken(1, "the chain begins with a wrong hash");
  return "first-row";
}

function signed(guild: string, mark: AuditMark): boolean {
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: mark.publicKey }, format: "jwk" });
  return verify(null, Buffer.from(auditMarkText(guild, mark)), key, Buffer.from(mark.signature, "base64url"));
}

function parseLine(line: string, number: number) {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw unreadable(number, error);
  }
  const parsed = auditLine.safeParse(value);
  if (!parsed.success) throw unreadable(number, parsed.error);
  return parsed.data;
}

function broken(line: number, why: string): AgentError {
  return new AgentError("audit-broken", `line ${line}: ${why}. Do not trust this file; export it again with /audit in Discord`, {
    exitCode: EXIT.badData,
  });
}

function unreadable(line: number, cause: unknown): AgentError {
  return new AgentError("audit-unreadable", `line ${line} is not a line of an audit export; export it again with /audit in Discord`, {
    cause,
    exitCode: EXIT.badData,
  });
}
