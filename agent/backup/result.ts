import type { ArchiveBackup, UploadId } from "../../schemas/index.ts";
import { AgentError } from "../errors.ts";
import type { ArchiveRequest } from "./zip-engine.ts";
import type { ZipTally } from "./zip-tally.ts";

/** A backup that is complete and durable in its store. */
export interface Finished {
  run: Pick<ZipTally, "files" | "sourceBytes" | "torn" | "warnings" | "consistency" | "evidence">;
  archive: { bytes: number; sha256: string };
  name: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  stored: { place: string; upload?: UploadId };
}

/** Limits of `backupResult` in schemas/jobs.ts, in characters and items. */
export const PLACE_MAX = 500;
export const NOTE_MAX = 200;
export const WARNING_MAX = 300;
export const WARNINGS_MAX = 10;
export const PRUNED_MAX = 100;

/** Applies retention and says what came of the backup. A retention that fails is a warning: the backup itself is safe. */
export async function resultOf({ server, store, clock, note, purpose, log }: ArchiveRequest, finished: Finished): Promise<ArchiveBackup> {
  const { run, archive, startedAt, stored } = finished;
  const warnings = run.warnings();
  let pruned: string[] = [];
  try {
    // What a restore saves first must push out nothing that it may be about to restore.
    if (purpose !== "safety") pruned = await store.prune(server.id, server.backup.retention, clock.now());
  } catch (error) {
    log.warn({ server: server.id, err: error }, "old backups could not be removed");
    const why = error instanceof AgentError ? error.message : String(error);
    warnings.push(`The backup is safe, but old ones could not be removed: ${why}`.slice(0, WARNING_MAX));
  }
  return {
    format: "zip",
    server: server.id,
    archive: finished.name,
    store: store.type,
    place: stored.place.slice(0, PLACE_MAX),
    upload: stored.upload,
    bytes: archive.bytes,
    sourceBytes: run.sourceBytes,
    files: run.files,
    startedAt,
    durationMs: Math.max(0, Math.round(clock.now() - startedAt)),
    sha256: archive.sha256,
    consistency: run.consistency(),
    evidence: run.evidence(),
    torn: run.torn.named,
    tornCount: run.torn.count,
    pruned: pruned.slice(0, PRUNED_MAX),
    note: note?.slice(0, NOTE_MAX),
    purpose,
    warnings: warnings.slice(0, WARNINGS_MAX),
  };
}
