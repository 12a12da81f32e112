import type { RepositoryFileType } from "../../schemas/index.ts";
import type { RefusalCode } from "../refusals.ts";

/** Pure rules of who may do what with a repository. */

/** `append`: may also add files. Nobody may change one, or remove anything but locks. */
export type RepositoryRight = "read" | "append";

/** What a request does with one file, or with the repository as a whole. */
export type RepositoryAct = "read" | "list" | "create" | "remove";

/** Files of these types have a row in the guild's database, with the time at which they came. Keys, locks and indexes have none: rows are scarce. */
const RECORDED: ReadonlySet<RepositoryFileType> = new Set(["config", "snapshots", "data"]);

export function isRecorded(type: RepositoryFileType): boolean {
  return RECORDED.has(type);
}

/**
 * Why a caller with this right may not do that, or null. `type` is null for the repository as a whole. Locks may be written and removed by
 * everybody who reads: restic locks a repository while it reads it.
 */
export function objectionTo(right: RepositoryRight, act: RepositoryAct, type: RepositoryFileType | null): RefusalCode | null {
  if (act === "read" || act === "list" || type === "locks") return null;
  if (act === "remove") return "repository-append-only";
  return right === "append" ? null : "credential-read-only";
}

/** Whether `more` bytes still fit. Null for no bound. */
export function fitsQuota(used: number, more: number, quota: number | null): boolean {
  return quota === null || used + more <= quota;
}
