import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { expect, it } from "vitest";
import { AUDIT_GENESIS, type AuditMark, auditMarkText, auditRowText } from "../../schemas/index.ts";
import { AgentError } from "../errors.ts";
import { verifyAudit } from "./verify-audit.ts";

const GUILD = "100000000000000001";
const keys = generateKeyPairSync("ed25519");

function marked(seq: number, hash: string, by: { privateKey: KeyObject; publicKey: KeyObject } = keys): AuditMark {
  const at = 1_700_000_000_000;
  const signature = sign(null, Buffer.from(auditMarkText(GUILD, { seq, hash, at })), by.privateKey).toString("base64url");
  return { seq, hash, at, signature, publicKey: by.publicKey.export({ format: "jwk" }).x ?? "" };
}

/** An export of `count` rows, as lines that a test can spoil before they are joined. */
function exported(count: number, after = { seq: 0, hash: AUDIT_GENESIS }, checkpoint: AuditMark | null = null): Record<string, unknown>[] {
  let { seq, hash } = after;
  const rows = Array.from({ length: count }, (_, index) => {
    const row = { seq: seq + 1, at: 1000 + index, entry: { kind: "command", actor: "member 4", command: `c${index}`, allowedBy: null } };
    hash = createHash("sha256").update(auditRowText(hash, row)).digest("hex");
    seq = row.seq;
    return { kind: "row", ...row, hash };
  });
  const header = { kind: "header", version: 1, guild: GUILD, exportedAt: 5, after, checkpoint };
  return [header, ...rows, { kind: "head", ...marked(seq, hash) }];
}

const text = (lines: unknown[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join("");

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof AgentError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "nothing thrown";
}

it("finds a whole export intact, and says by which key", () => {
  const x = keys.publicKey.export({ format: "jwk" }).x;
  expect(verifyAudit(text(exported(5)), x)).toEqual({
    guild: GUILD,
    rows: 5,
    first: 1,
    last: 5,
    publicKey: x,
    begins: "first-row",
    exportedAt: 5,
  });
  expect(verifyAudit(text(exported(0)), undefined)).toMatchObject({ rows: 0, first: null, last: null });
});

it("takes an export that begins at a checkpoint, or in the middle", () => {
  const after = { seq: 40, hash: "a".repeat(64) };
  expect(verifyAudit(text(exported(2, after, marked(40, after.hash))), undefined).begins).toBe("checkpoint");
  expect(verifyAudit(text(exported(2, after, marked(30, "b".repeat(64)))), undefined).begins).toBe("middle");
});

it.each<[string, (lines: Record<string, unknown>[]) => unknown[], string]>([
  ["a changed entry", (lines) => lines.with(3, { ...lines[3], entry: { kind: "command", actor: "member 5" } }), "line 4: row 3"],
  ["a changed time", (lines) => lines.with(2, { ...lines[2], at: 1 }), "line 3: row 2"],
  ["a row that is missing", (lines) => lines.toSpliced(3, 1), "row 4 stands where row 3 should"],
  ["two rows in another order", (lines) => lines.with(2, lines[3] ?? {}).with(3, lines[2] ?? {}), "row 3 stands where row 2 should"],
  ["the end cut off", (lines) => lines.slice(0, -2), "cut off"],
  ["the last row removed", (lines) => lines.toSpliced(-2, 1), "not that of the last row"],
  ["another guild's name", (lines) => lines.with(0, { ...lines[0], guild: "2" }), "signature is wrong"],
  ["a beginning made up", (lines) => lines.with(0, { ...lines[0], after: { seq: 0, hash: "c".repeat(64) } }), "line 2: row 1"],
  ["no header", (lines) => lines.slice(1), "not the header"],
  ["a second header", (lines) => lines.with(2, lines[0] ?? {}), "in the middle"],
])("refuses %s", (_, spoil, words) => {
  const message = codeOf(() => verifyAudit(text(spoil(exported(5))), undefined));
  expect(message).toContain("audit-broken");
  expect(message).toContain(words);
});

it("refuses a whole chain made anew under another key, when the key is known", () => {
  const other = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x;
  expect(codeOf(() => verifyAudit(text(exported(5)), other))).toContain("another key");
});

it("refuses a checkpoint that is not signed, or fits another row", () => {
  const after = { seq: 40, hash: "a".repeat(64) };
  const good = marked(40, after.hash);
  expect(codeOf(() => verifyAudit(text(exported(2, after, { ...good, seq: 41 })), undefined))).toContain("checkpoint's signature");
  expect(codeOf(() => verifyAudit(text(exported(2, after, marked(40, "b".repeat(64)))), undefined))).toContain("does not fit");
  const other = generateKeyPairSync("ed25519");
  expect(codeOf(() => verifyAudit(text(exported(2, after, marked(40, after.hash, other))), undefined))).toContain("different keys");
});

it.each([["not JSON\n"], ["{}\n"], ['{"kind":"row"}\n'], ["\n"]])("says that %j is no export", (spoilt) => {
  expect(codeOf(() => verifyAudit(spoilt, undefined))).toContain("audit-unreadable: line 1");
});

it("refuses a file whose last line break is gone", () => {
  expect(codeOf(() => verifyAudit(text(exported(2)).slice(0, -1), undefined))).toContain("audit-broken");
  expect(codeOf(() => verifyAudit("", undefined))).toContain("audit-");
});
