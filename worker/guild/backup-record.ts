import type { ArchiveBackup, BackupResult, Instant, Problem, SnapshotBackup } from "../../schemas/index.ts";
import { uploadOf } from "./backups.ts";
import { type KeeperTables, retainAfter } from "./retention-keeper.ts";
import type { Tables } from "./tables.ts";

/** What becomes of a finished backup, whoever asked for it: a job, a schedule, or somebody on the host. Call these in one transaction. */

type BackupTables = KeeperTables & Pick<Tables, "repositoryFiles">;

/** Why a success is none: it names an archive or a snapshot that did not arrive in R2. Null when it is one. */
export function arrivalProblem(tables: BackupTables, host: string, result: BackupResult): Problem | null {
  if (result.store !== "r2") return null;
  return result.format === "zip" ? archiveProblem(tables, host, result) : snapshotProblem(tables, result);
}

function snapshotProblem({ repositoryFiles }: BackupTables, { server, snapshot }: SnapshotBackup): Problem | null {
  if (repositoryFiles.byName(server, "snapshots", snapshot) !== null) return null;
  return { code: "snapshot-not-found", message: "The agent reported a backup whose snapshot did not arrive in R2. Try again." };
}

function archiveProblem({ uploads }: BackupTables, host: string, result: ArchiveBackup): Problem | null {
  const upload = result.upload === undefined ? null : uploads.byId(result.upload);
  const there = upload?.host === host && upload.server === result.server && upload.state === "completed";
  if (there && upload.bytes === result.bytes) return null;
  return { code: "archive-not-found", message: "The agent reported a backup whose archive did not arrive in R2. Try again." };
}

/** Adds the backup's row and lets retention doom what it replaces. Answers its id; null when it was recorded before under this key. */
export function recordBackup(
  tables: BackupTables,
  made: { key: string; host: string; job: string | null; madeBy: string | null; result: BackupResult },
  now: Instant,
): string | null {
  const { host, result } = made;
  const id = tables.backups.add(made, now);
  if (id === null) return id;
  const upload = uploadOf(result);
  if (upload !== null) tables.uploads.claim(upload);
  retainAfter(tables, host, result, now);
  return id;
}
