import { readFile, stat } from "node:fs/promises";
import { type AuditReport, verifyAudit } from "../audit/verify-audit.ts";
import { AgentError, EXIT } from "../errors.ts";
import { type Io, printJson, printLine } from "./io.ts";

/** Exports are at most 8 MiB of rows; a larger file is none, in bytes. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** `reconsync audit verify`: needs no config and no control plane. */
export async function auditVerifyCommand(file: string, options: { key?: string; json?: boolean }, io: Io): Promise<void> {
  const report = verifyAudit(await read(file), options.key);
  if (options.json === true) printJson(io.out, { ok: true, ...report });
  else for (const line of wordsOf(report, options.key !== undefined)) printLine(io.out, line);
}

async function read(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > FILE_BYTES_MAX) throw new Error("it is too large to be an export");
    return await readFile(file, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AgentError("audit-unreadable", `cannot read ${file}: ${why}`, { cause: error, exitCode: EXIT.badData });
  }
}

const BEGINS: Record<AuditReport["begins"], string> = {
  "first-row": "from the very first row",
  checkpoint: "from a signed checkpoint; older rows were removed for their age or number",
  middle: "from the middle; older rows are not in this file",
};

function wordsOf({ guild, rows, first, last, publicKey, begins, exportedAt }: AuditReport, pinned: boolean): string[] {
  const range = rows === 0 ? "no rows" : `${rows} rows, ${first} to ${last}`;
  return [
    `intact: ${range}, ${BEGINS[begins]}`,
    `guild ${guild}, exported ${new Date(exportedAt).toISOString()}`,
    pinned
      ? `signed by the key that you gave`
      : `signed by ${publicKey}: compare it with the audit key that /audit shows, or give it with --key`,
  ];
}
