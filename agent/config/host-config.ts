import type { HoldStep } from "../../schemas/hold.ts";
import type { GameProfile } from "../../schemas/profile.ts";
import type { ConsoleTarget } from "../console/console.ts";
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
  /** Where the agent answers `/healthz`, `/readyz` and `/metrics`; nowhere when absent. */
  health?: HealthConfig;
  /** Where traces go; nowhere when absent. */
  otlp?: OtlpConfig;
  servers: ServerConfig[];
  /** What is worth a line in the log though it is no error, such as a shipped profile that was replaced. */
  notices?: string[];
  /** What `${secret:NAME}` came to. Wherever one stands in the config, it is not shown. */
  secrets?: readonly Secret[];
}

export interface HealthConfig {
  /** An IP address, or `localhost`. */
  address: string;
  port: number;
}

export interface OtlpConfig {
  /** Address of a collector; `/v1/traces` is added to it. */
  endpoint: string;
  headers: Readonly<Record<string, Secret>>;
  serviceName: string;
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
  /** What Discord may restore. Absent: in place only. `folder`: absolute path, below which it may make new folders. */
  restore?: { inPlace: boolean; folder?: string };
  /** How it may be stopped and started; absent: it may not. */
  control?: ControlConfig;
  /** How the agent may speak to the server's console; not at all when absent. */
  console?: ConsoleTarget;
  backup: BackupConfig;
  /** How backups are proven restorable. */
  verify: VerifyConfig;
}

export interface VerifyConfig {
  daily: boolean;
  drill: "weekly" | "daily" | "off";
  /** Absolute path of the folder in which drills restore. Absent: beside the agent's database. */
  scratch?: string;
}

/** Durations in milliseconds. */
interface ControlTimes {
  stopTimeoutMs: number;
  startTimeoutMs: number;
  /** How long it must be up without a gap; absent: as the probe thinks right. */
  settleMs?: number;
  /** What shows that it is up after a start; absent: the strongest that is known to work. */
  probe?: "query" | "port" | "process" | "none";
}

export interface CommandsControl extends ControlTimes {
  type: "commands";
  /** Programs with their arguments. */
  start: string[];
  stop: string[];
  status?: string[];
  /** Absolute path; gets what they print. */
  logFile: string;
  env: Readonly<Record<string, Secret>>;
}

export interface SystemdControl extends ControlTimes {
  type: "systemd";
  /** With `.service` at its end. */
  unit: string;
  user: boolean;
}

export interface WindowsServiceControl extends ControlTimes {
  type: "windows-service";
  name: string;
}

export interface ProcessControl extends ControlTimes {
  type: "process";
  start: string[];
  /** Absolute paths. */
  cwd: string;
  pidFile: string;
  logFile: string;
  stopSignal: "SIGTERM" | "SIGINT";
  kill: boolean;
  env: Readonly<Record<string, Secret>>;
}

export type ControlConfig = CommandsControl | SystemdControl | WindowsServiceControl | ProcessControl;

export interface BackupConfig {
  format: "repository" | "zip";
  /** Globs relative to `folder`, `/` as separator on every platform. */
  include: string[];
  exclude: string[];
  store: StoreConfig;
  /** A second place for the same repository. */
  mirror?: StoreConfig;
  /** Bytes per second; absent: no limit. */
  bandwidth: { upload?: number; download?: number };
  lowPriority: boolean;
  retention: { keepLast: number; keepDays?: number };
  schedules: ScheduleConfig[];
  /** How saves are held while files are copied; not at all when absent. */
  hold?: HoldConfig;
  /** Of deflate, 0 to 9, or of zstd, 1 or 3. */
  compression: number;
}

/** Steps in the order in which they are carried out. */
export interface HoldConfig {
  before: HoldStep[];
  after: HoldStep[];
  /** Without held saves there is no backup. */
  required: boolean;
  /** Saves are held no longer, in milliseconds. */
  maxMs: number;
}

/** When backups are made by themselves. Durations in milliseconds. */
export interface ScheduleConfig {
  name: string;
  cron: string;
  /** IANA time zone. */
  zone: string;
  jitterMs: number;
  skipUnchanged: boolean;
  catchUp: boolean;
  graceStartMs: number;
  graceFinishMs: number;
}

export type StoreConfig =
  | { type: "local"; folder: string }
  | { type: "r2" }
  | { type: "url"; url: string /** By the names of restic's variables. */; credentials: Readonly<Record<string, Secret>> };

/** Where archives can go. */
export type ArchiveStoreConfig = Exclude<StoreConfig, { type: "url" }>;
