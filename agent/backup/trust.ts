import { AgentError, EXIT } from "../errors.ts";

/** What is known of whether backups can be restored. A backup goes by its archive's name or its snapshot's id. */
export interface BackupTrust {
  /** It did not pass a check. */
  doubt(server: string, backup: string, why: string, at: number): void;
  /** Those that did not pass: retention counts none of them as good. */
  doubts(server: string): ReadonlySet<string>;
  /** The newest one that a restore drill proved: retention keeps it. */
  proven(server: string): string | undefined;
}

export const NO_TRUST: BackupTrust = { doubt: () => undefined, doubts: () => new Set(), proven: () => undefined };

/** A backup was stored, and its check found that it could not be restored. */
export function unverified(why: string, count: number): AgentError {
  const more = count > 1 ? ` (${count} problems in all)` : "";
  const text = `The backup was stored, but it did not pass its check: ${why}${more}. It does not count as a backup, and older ones stay. Check the place that it lies at, then make another.`;
  return new AgentError("backup-unverified", text, { exitCode: EXIT.badData });
}
