import type { BackupResult, JobId, LeaseId, Progress } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import type { Logger } from "../logger.ts";
import type { HeldSaves } from "./saves.ts";

/** Everything that one backup needs from outside. */
export interface BackupRequest {
  server: ServerConfig;
  note?: string;
  /** `safety`: what was there before a restore, for its Undo. */
  purpose?: "safety";
  /** The job that asked for it; absent when made by hand. */
  job?: { id: JobId; lease: LeaseId };
  /** Saves of the game that are held for this backup; absent when they are not. */
  saves?: HeldSaves;
  /** Called as often as there is news; the receiver decides how often to pass it on. */
  report: (progress: Progress) => void;
  /** Aborting stops the backup; what it wrote so far is removed, or kept for the next one. */
  signal: AbortSignal;
  clock: Clock;
  log: Logger;
}

/** One way of making backups. An engine resolves only when the backup is complete and durable in its store. */
export interface BackupEngine {
  backup(request: BackupRequest): Promise<BackupResult>;
  /** The same, unless it would hold the same content as the last backup, which is still there: then null. */
  backupIfChanged(request: BackupRequest): Promise<BackupResult | null>;
  /** Removes what earlier, interrupted backups of this server left behind. Safe at any time when no backup of the server runs. */
  cleanUp(server: string): Promise<void>;
}
