import type { BackupResult, Instant, Problem, Progress, ServerStatus } from "../../schemas/index.ts";
import type { Format } from "../discord/text.ts";
import type { JobState } from "./job-rules.ts";
import type { BackupMark, ProofView, VerifiedView } from "./verification-view.ts";

/** What people are shown of the guild's state: plain values, rendered in `discord/`. */

export interface HostView {
  id: string;
  name: string;
  online: boolean;
  seenAt: Instant | null;
  createdAt: Instant;
  agentVersion: string | null;
  platform: string | null;
  /** The agent is older than this Worker. */
  updateAvailable: boolean;
  servers: string[];
  /** From where it called when it last got a token. */
  address: string | null;
  /** Addresses and ranges that it may call from; empty for all. */
  allowlist: string[];
  keyChangedAt: Instant | null;
}

export interface BackupJobView {
  format: Format;
  kind: "backup";
  job: string;
  server: string;
  serverName: string;
  hostName: string;
  hostOnline: boolean;
  hostSeenAt: Instant | null;
  state: JobState;
  cancelling: boolean;
  attempt: number;
  requestedBy: string;
  note: string | null;
  createdAt: Instant;
  startedAt: Instant | null;
  endedAt: Instant | null;
  deadline: Instant;
  progress: Progress | null;
  result: BackupResult | null;
  /** The newest backup of the server that a drill proved. */
  proof: ProofView | null;
  error: Problem | null;
  notice: string | null;
}

export interface ServerView {
  id: string;
  name: string;
  gameName: string;
  hostName: string;
  hostOnline: boolean;
  hostSeenAt: Instant | null;
  status: ServerStatus | null;
  lastBackup: { at: Instant; bytes: number; consistency: BackupResult["consistency"] } | null;
  backupRunning: boolean;
  /** Null when its host has never told of a verification. */
  verified: VerifiedView | null;
  /** A restore into its own folder waits or goes on. */
  restoring: boolean;
}

export interface StatusView {
  format: Format;
  kind: "status";
  servers: ServerView[];
  /** Hosts are being asked for a fresh look; the message will be edited. */
  refreshing: boolean;
  now: Instant;
}

export interface BackupListView {
  format: Format;
  server: string;
  serverName: string;
  page: number;
  pages: number;
  count: number;
  /** As stored. */
  bytes: number;
  /** What all of them would restore to. */
  sourceBytes: number;
  backups: {
    /** The archive, or the start of the snapshot's id. */
    name: string;
    format: BackupResult["format"];
    at: Instant;
    bytes: number;
    sourceBytes: number;
    files: number;
    store: BackupResult["store"];
    place: string;
    consistency: BackupResult["consistency"];
    note: string | null;
    pinned: boolean;
    tags: string[];
    /** Made by a restore, of what was there before it: until when retention leaves it alone. */
    safetyUntil: Instant | null;
    mark: BackupMark;
  }[];
}

export interface Choice {
  name: string;
  value: string;
}
