import type { MasterKey } from "../format/cipher.ts";
import type { CompressionLevel } from "../format/compression.ts";
import type { FinishedPack } from "../format/pack.ts";

/** What a thread has to know before its first step. */
export interface Setup {
  master: MasterKey;
  polynomial: string;
  /** Bytes. */
  chunkMin: number;
  /** Of zstd; 0 for repositories that do not compress. */
  level: CompressionLevel;
  lowPriority: boolean;
}

export interface FileRequest {
  path: Uint8Array;
  /** Bytes that are expected. */
  bytes: number;
  /** Read it as it is, whatever it holds: it is a copy, or could not be copied. */
  plain: boolean;
  /** Read no more bytes than this: the server said that they are complete. */
  length?: number;
}

/** `more` goes on with the large file that the last step did not end. */
export type Reading = { kind: "batch"; files: FileRequest[] } | { kind: "large"; file: FileRequest } | { kind: "more" };

/** One step of a thread: store what of the last one is new, then read on. */
export interface StepInput {
  /** A byte for each id that the last reading answered, 1 for those to be stored. Absent: none, or no others than before. */
  store?: Uint8Array;
  read?: Reading;
  /** Memory of a pack that is stored, to be filled again. Only for a thread that has none. */
  spare?: SharedArrayBuffer;
}

export interface StepAnswer {
  packs: FinishedPack[];
  /** Contents of what was stored, in bytes. */
  newBytes: number;
  /** The thread has a pack that is not full, or memory for one. */
  hasMemory: boolean;
  /** A pack is full and there is more to store: once the pack is stored, another step goes on with that. Nothing was read. */
  unfinished?: true;
  read?: ReadAnswer;
}

export interface ReadAnswer {
  /** Raw ids of every piece that was read, 32 bytes each, and the bytes of each piece. */
  ids: Uint8Array;
  sizes: Uint32Array;
  /** What came of each file. Empty for a large file that has not come to its end. */
  files: FileAnswer[];
}

export type FileAnswer =
  | {
      status: "read";
      /** `statsRecord` from before its first byte was read: if it changed since, no later look will find it so. */
      stats: Uint8Array;
      bytes: number;
      /** How many of the ids are the file's. For a large file: of this step. */
      pieces: number;
      /** Told when the file changed under the reader. */
      changed?: string;
      /** It is an SQLite database, and nobody wrote to it. */
      database?: true;
    }
  /** An SQLite database that may be in use. */
  | { status: "in-use" }
  /** It has grown out of its batch. */
  | { status: "large"; bytes: number }
  /** The operating system's code for why it could not be read. */
  | { status: "failed"; code: string };

export interface CopyInput {
  path: Uint8Array;
  /** Where the copy goes. Nothing is there yet. */
  target: string;
}

export type CopyAnswer =
  | { status: "copied" /** `statsRecord` of the database's file, from before the copy. */; stats: Uint8Array; bytes: number }
  | { status: "failed"; why: string };
