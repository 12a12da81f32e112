import type { BackupRef } from "../../schemas/index.ts";
import type { FsPath } from "../backup/repository/restore/names.ts";

/** Something that a backup holds, as it will stand on this host. */
export interface SourceEntry {
  /** Relative to the server's folder, with `/`: for globs and for people. */
  path: string;
  /** The same as the file system has it here; names need not be UTF-8. */
  place: FsPath;
  type: "file" | "directory" | "symlink" | "special";
  /** Size of a file; 0 of everything else. */
  bytes: number;
  /** Milliseconds since the epoch. */
  mtimeMs: number;
}

/** What was written, and what could not be. */
export interface Extracted {
  files: number;
  bytes: number;
  /** What is not as the backup says, in words, the first of them; empty when everything is whole. */
  damaged: string[];
  damagedCount: number;
  /** What is whole but lacks something that this host cannot give it, such as an owner. */
  notes: string[];
}

export interface ExtractOptions {
  /** An empty folder, or one that is not there. */
  target: string;
  /** Only these, as globs relative to the server's folder; a folder brings all that is in it. Absent: everything. */
  paths?: readonly string[];
  report: (progress: { done: number; total: number }) => void;
  signal: AbortSignal;
}

/** One backup that is open for reading. */
export interface RestoreSource {
  readonly ref: BackupRef;
  /** How people call it. */
  readonly name: string;
  /** When its files were read, in milliseconds since the epoch. */
  readonly madeAt: number;
  /** Some of its files changed while they were read. */
  readonly torn: boolean;
  /** Everything that it holds, folders before what is in them. @throws AgentError when a part of its structure is damaged or missing */
  entries(signal: AbortSignal): AsyncIterable<SourceEntry>;
  /** Writes it, or a part of it, and checks every byte against what the backup says. Nothing is written outside of the target. */
  extract(options: ExtractOptions): Promise<Extracted>;
  close(): Promise<void>;
}

/** So many damaged or noted things are told one by one. */
export const TOLD_MAX = 20;
