import type { BackupRef, BackupResult, Instant, Verification } from "../../schemas/index.ts";
import type { Tables } from "./tables.ts";
import { endOf } from "./verification-rules.ts";

/** What people are shown of verifications: plain values, rendered in `discord/`. */

export interface ProofView {
  /** When the files of the backup were read. */
  madeAt: Instant;
  provenAt: Instant;
  checks: NonNullable<Verification["checks"]>;
}

export interface VerifiedView {
  proof: ProofView | null;
  /** Checks whose last one did not pass, with its first problem or the reason why it was put off. */
  troubles: { check: Verification["check"]; outcome: "failed" | "put-off"; at: Instant; what: string }[];
}

/** How a backup in a list stands. Null: no drill has looked at it, or a newer one has taken its place. */
export type BackupMark = { kind: "proven" | "failed"; at: Instant } | null;

/** Null when the server's host has never told of any: its agent is older, or does not verify. */
export function verifiedView(server: string, { verifications }: Pick<Tables, "verifications">): VerifiedView | null {
  const proof = proofView(server, { verifications });
  const last = (["daily", "drill"] as const).map((check) => verifications.of(server, check)?.verification).filter((it) => it !== undefined);
  if (proof === null && last.length === 0) return null;
  return { proof, troubles: last.flatMap((one) => troubleOf(one) ?? []) };
}

export function proofView(server: string, { verifications }: Pick<Tables, "verifications">): ProofView | null {
  const proven = verifications.of(server, "proven")?.verification;
  if (proven === undefined) return null;
  return { madeAt: proven.madeAt ?? proven.startedAt, provenAt: endOf(proven), checks: proven.checks ?? [] };
}

function troubleOf(verification: Verification): VerifiedView["troubles"][number] | null {
  const { check, outcome, reason, problems } = verification;
  if (outcome === "passed") return null;
  const [first] = problems;
  const problem = first === undefined ? "" : `${first.path === undefined ? "" : `${first.path}: `}${first.detail}`;
  return { check, outcome, at: endOf(verification), what: outcome === "failed" ? problem : (reason ?? "") };
}

/** What the last drills say of one backup. */
export function markOf(server: string, backup: BackupResult, { verifications }: Pick<Tables, "verifications">): BackupMark {
  const proven = verifications.of(server, "proven")?.verification;
  const drill = verifications.of(server, "drill")?.verification;
  if (drill?.outcome === "failed" && isOf(drill.backup, backup)) return { kind: "failed", at: endOf(drill) };
  return proven !== undefined && isOf(proven.backup, backup) ? { kind: "proven", at: endOf(proven) } : null;
}

function isOf(ref: BackupRef | undefined, backup: BackupResult): boolean {
  if (ref?.format === "zip") return backup.format === "zip" && backup.archive === ref.archive;
  return ref !== undefined && backup.format === "repository" && backup.snapshot === ref.snapshot;
}
