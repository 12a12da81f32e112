import type { GameProfile } from "../../schemas/profile.ts";
import type { Secret } from "./secret.ts";

/** What `config.yaml` and the profiles come to once they are read: nothing here needs to be looked up, defaulted or expanded again. */
export interface HostConfig {
  /** Absolute path of the file it was read from. */
  file: string;
  /** SHA-256 of the effective config, in hex, secrets left out. */
  hash: string;
  /** Absolute path of the agent's SQLite database. */
  stateFile: string;
  log: { level: "debug" | "info" | "warn" | "error"; format: "auto" | "human" | "json" };
  servers: ServerConfig[];
  /** What is worth a line in the log though it is no error, such as a shipped profile that was replaced. */
  notices?: string[];
}

export interface ServerConfig {
  id: string;
  name: string;
  profile: GameProfile;
  /** Absolute path; every path of this server is inside it. */
  folder: string;
  /** Where the game listens, for port check and query. */
  address: string;
  ports: { game?: number; query?: number };
  process?: { pidFile?: string; name?: string };
  query?: { type: string; password?: Secret };
  backup: BackupConfig;
}

export interface BackupConfig {
  format: "zip";
  /** Globs relative to `folder`, `/` as separator on every platform. */
  include: string[];
  exclude: string[];
  store: StoreConfig;
  retention: { keepLast: number; keepDays?: number };
  /** Deflate level, 0 to 9. */
  compression: number;
}

export type StoreConfig = { type: "local"; folder: string } | { type: "r2" };
