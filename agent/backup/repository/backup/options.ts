import type { FileLengths } from "../../lengths.ts";
import type { Id } from "../format/ids.ts";
import type { Repository } from "../repository.ts";
import type { RepositoryStore } from "../stores/store.ts";
import type { Counts } from "./counts.ts";
import type { CopiedDatabase, Problem } from "./problems.ts";

/** A repository that is being opened: the walk begins meanwhile. */
export interface OpeningRepository {
  store: RepositoryStore;
  /** Without its index: a backup loads that itself, once it holds the lock. */
  opening: Promise<Repository>;
}

/** `scanning`: folders are still being looked at. `storing`: all is read, the last packs, the index and the snapshot are written. */
export interface BackupProgress {
  phase: "scanning" | "reading" | "storing";
  filesDone: number;
  bytesDone: number;
  /** Absent while scanning. */
  bytesTotal?: number;
  /** Contents that were new, in bytes. */
  bytesNew: number;
}

export interface BackupOptions {
  tags?: string[];
  hostname: string;
  username: string;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** The snapshot that unchanged files are taken over from. Absent: the last one of this host and these paths. `none`: every file is read. */
  parent?: Id | "none";
  /** Of zstd. */
  level: 1 | 3;
  /** Smallest chunk, in bytes. Absent: CHUNK_MIN. CHUNK_MIN_SHARED cuts where restic does. */
  chunkMin?: number;
  /** Absent: as many as help; one for `lowPriority`. */
  threads?: number;
  /** For the file index, and for copies of databases. Absent: unchanged files are found by the trees of the parent. */
  cacheFolder?: string;
  /** The lowest priority, and rests between pieces of work. */
  lowPriority?: boolean;
  /** Absolute. Left out wherever they are met, as are the store's own folder and `cacheFolder`. */
  excludeFolders?: string[];
  /** Share of unchanged files that is read again, 0 to 1. Absent: so that all are within 30 days. */
  rereadShare?: number;
  /** No snapshot is written when it would hold what its parent holds, other than times, owners and modes. */
  onlyIfChanged?: boolean;
  /** What the server said of its files, by paths below the source. */
  lengths?: FileLengths;
  /** Called when every file has been read, before the last of it is stored. Answers whether the game's saves were held all the while. */
  allRead?: () => Promise<boolean>;
  /** Called when all is stored, before the snapshot is. What it throws ends the backup without one. */
  beforeSnapshot?: (counts: Counts) => void;
  report?: (progress: BackupProgress) => void;
  signal: AbortSignal;
}

export interface BackupSummary extends Counts {
  /** With `unchanged`, the parent's. */
  snapshot: Id;
  /** No snapshot was written, as `onlyIfChanged` asks for. */
  unchanged: boolean;
  tree: Id;
  parent?: Id;
  /** Contents of blobs that were new, in bytes. */
  bytesNew: number;
  /** Bytes of the packs that were stored. */
  bytesAdded: number;
  packs: number;
  /** Of all blobs in the repository, as they are stored. */
  repositoryBytes: number;
  /** `torn`: at least one file may mix two states of it. `quiesced`: none does, none is missing, and saves were held. */
  consistency: "quiesced" | "stable" | "torn";
  /** The first PROBLEMS_MAX; `problemsInAll` counts all. */
  problems: Problem[];
  problemsInAll: number;
  sqlite: CopiedDatabase[];
  ms: number;
}
