import type { AnnouncedSchedule, HostLoad, PruneResult, SchedulePayload, ServerStatus } from "../../schemas/index.ts";
import type { BackupEngine } from "../backup/engine.ts";
import type { PruneRequest } from "../backup/snapshots/prune.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { AgentError } from "../errors.ts";
import type { SaveKeeper } from "../hold/keeper.ts";
import type { Recovered } from "../restore/recover.ts";
import type { ServerRestores } from "../restore/server-restores.ts";
import type { Lock } from "../state/lock.ts";

/** What a job may do on this host: only with the servers of the host's own config. */
export interface Host {
  readonly servers: readonly ServerConfig[];
  engineOf(server: ServerConfig): BackupEngine;
  restoresOf(server: ServerConfig): ServerRestores;
  /** Ends the restores in place that broke off, but for those that a living process works on. */
  recoverRestores(): Promise<Recovered[]>;
  observe(server: ServerConfig): Promise<ServerStatus>;
  load(): Promise<HostLoad | undefined>;
  /** Undefined while somebody else backs this server up: another job, or a person by hand. */
  lockBackup(server: string): Lock | undefined;
  /** Holds saves of servers around their backups, and releases what a backup that broke off has left. */
  readonly saves: SaveKeeper;
  /** Works out a prune of a repository in R2. Whoever calls it holds the server's lock. */
  prune(request: PruneRequest): Promise<PruneResult>;
  /** Pauses or resumes schedules of a server. Answers all that it has. */
  changeSchedules(change: SchedulePayload): AnnouncedSchedule[];
}

/** @throws AgentError `unknown-server` */
export function serverOf(host: Host, id: string): ServerConfig {
  const found = host.servers.find((server) => server.id === id);
  if (found !== undefined) return found;
  throw unknownServer(host.servers, id);
}

export function unknownServer(servers: readonly Pick<ServerConfig, "id">[], id: string): AgentError {
  const known = servers.map((server) => server.id).join(", ");
  return new AgentError("unknown-server", `this host has no server "${id}" in its config.yaml; it has ${known === "" ? "none" : known}`);
}
