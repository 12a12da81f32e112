import type { BackupResult, JobId, LeaseId, Progress } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import type { Logger } from "../logger.ts";
import type { ArchiveStore } from "./stores/store.ts";

/** Everything that one backup needs from outside. */
export interface BackupRequest {
  server: ServerConfig;
  store: ArchiveStore;
  note?: string;
  /** The job that asked for it; absent when made by hand. */
  job?: { id: JobId; lease: LeaseId };
  /** Called as often as there is news; the receiver decides how often to pass it on. */
  report: (progress: Progress) => void;
  /** Aborting stops the backup and removes what it wrote so far. */
  signal: AbortSignal;
  clock: Clock;
  log: Logger;
}

/** One way of making backups. An engine resolves only when the backup is complete and durable in its store. */
export interface BackupEngine {
  backup(request: BackupRequest): Promise<BackupResult>;
}
