import type { Readable, Writable } from "node:stream";
import type { JobId, LeaseId, UploadId } from "../../../schemas/index.ts";

/** A place that archives are written to. Nothing is visible under its final name until `commit` has resolved. */
export interface ArchiveStore {
  readonly type: "local" | "r2";
  /** Absolute path that a backup must leave out, when the store lies on this host. */
  readonly folder?: string;
  /** Removes what earlier, interrupted runs for this server left behind. Safe to call at any time when no backup of the server runs. */
  cleanUp(server: string): Promise<void>;
  begin(archive: NewArchive): Promise<ArchiveWriter>;
  /** Applies retention after a success; answers the names it removed. A store whose retention the guild decides removes nothing. */
  prune(server: string, keep: { keepLast: number; keepDays?: number }, now: number): Promise<string[]>;
}

export interface NewArchive {
  server: string;
  /** Final file name, such as `island-20261122T143501Z.zip`. */
  name: string;
  /** Size of the source in bytes: an upper estimate of the archive, by which parts are sized. */
  expectedBytes: number;
  job?: { id: JobId; lease: LeaseId };
  signal: AbortSignal;
}

export interface ArchiveWriter {
  /**
   * The archive's bytes go here, in order, once. Back-pressure is honoured. The memory of a chunk is used again as soon as its write has called
   * back: whoever needs it longer makes a copy.
   */
  readonly body: Writable;
  /** Writes the manifest, makes both durable, and gives the archive its final name. `body` must have been ended. */
  commit(archive: { bytes: number; sha256: string }, manifest: Readable): Promise<{ place: string; upload?: UploadId }>;
  /** Removes everything written so far. Never throws; what it could not remove is logged and left to `cleanUp`. */
  abort(): Promise<void>;
}
