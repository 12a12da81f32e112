import type { PlaceDeps } from "../backup/snapshots/place.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { Lock } from "../state/lock.ts";
import type { AgentState } from "../state/state.ts";

/** What a verification needs of this host. */
export interface VerificationDeps {
  state: AgentState;
  /** How the places of repositories are reached. */
  places: Omit<PlaceDeps, "clock" | "log">;
  /** Held while somebody backs the server up or restores it. */
  lockBackup: (server: string) => Lock | undefined;
  clock: Clock;
  log: Logger;
  /** What has to stay free on the volume of a drill; FREE_LEFT_BYTES when absent. */
  freeLeftBytes?: number;
  /** How long a daily share may take; DAILY_MAX_MS when absent. */
  dailyMaxMs?: number;
}

/** One verification of one server, on its way. */
export interface VerificationRun {
  server: ServerConfig;
  signal: AbortSignal;
  /** `done` of `total`, in bytes or packs. */
  report?: (progress: { phase: "reading" | "restoring" | "checking"; done: number; total: number }) => void;
}

/** It cannot be done as things stand, and nothing is known to be wrong. */
export class PutOff extends AgentError {
  override readonly name = "PutOff";
}

export const noBackupYet = (server: string) =>
  new PutOff("drill-no-backup", `There is no backup of ${server} yet. Make one, then try again.`);

export function notReadable(server: string): PutOff {
  const text = `The backups of ${server} are plain archives in R2, which agents cannot read back. Use "format: repository", or a local folder, to have them proven.`;
  return new PutOff("drill-not-readable", text);
}

export const alreadyRunning = (server: string) =>
  new PutOff("drill-running", `Backups of ${server} are being verified on this host already. Wait for that to end.`);
