import { type BigIntStats, closeSync, fstatSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  isLocked,
  lengthHolds,
  NotAFileError,
  OPEN_FLAGS,
  OPEN_TRIES,
  PAUSE_MS,
  PIECE_BYTES,
  SMALL_FILE_BYTES,
  SMALL_FILE_READS,
  TICK_MS,
  unchanged,
} from "../read-file.ts";

export type SmallRead =
  /** `content` lies in the memory that was given. `changed`: it changed on the last try too. */
  | { kind: "content"; content: Buffer; mtime: number; changed: boolean }
  /** Larger than it was: to be streamed. */
  | { kind: "large" };

/** For tests: called after each piece that was read, before the file is looked at again. */
export type OnRead = (location: string, bytesSoFar: number) => void | Promise<void>;

/**
 * Reads a small file whole into `memory`, which has SMALL_FILE_BYTES; again, up to SMALL_FILE_READS times, while it changes under the reader.
 * With `length`, only so many bytes of it, which the server said are complete.
 * Made for a worker thread: it waits for the disk instead of asking to be called back, which takes a third of the time for small files.
 * Errors of the operating system come through.
 */
export async function readSmall(location: string, memory: Buffer, onRead?: OnRead, length?: number): Promise<SmallRead> {
  for (let attempt = 1; ; attempt += 1) {
    const file = await openSmall(location);
    try {
      const stats = await settledStats(file);
      const size = Math.min(Number(stats.size), length ?? Number.POSITIVE_INFINITY);
      if (size > SMALL_FILE_BYTES) return { kind: "large" };
      let bytes = 0;
      while (bytes < size) {
        const read = readSync(file, memory, bytes, Math.min(PIECE_BYTES, size - bytes), bytes);
        if (read === 0) break;
        bytes += read;
        if (onRead !== undefined) await onRead(location, bytes);
      }
      const after = fstatSync(file, { bigint: true });
      const changed = length === undefined ? bytes !== size || !unchanged(stats, after) : !lengthHolds(length, bytes, after);
      if (!changed || attempt >= SMALL_FILE_READS) {
        return { kind: "content", content: memory.subarray(0, bytes), mtime: Number(stats.mtimeMs), changed };
      }
    } finally {
      closeSync(file);
    }
    await sleep(PAUSE_MS);
  }
}

/** As `openFile` of read-file.ts. */
async function openSmall(location: string): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const file = openSync(location, OPEN_FLAGS);
      if (fstatSync(file).isFile()) return file;
      closeSync(file);
      throw new NotAFileError(location);
    } catch (error) {
      if (!isLocked(error) || attempt >= OPEN_TRIES) throw error;
    }
    await sleep(PAUSE_MS);
  }
}

/** Looks at an open file, a tick later when it was changed within the last one. */
async function settledStats(file: number): Promise<BigIntStats> {
  const stats = fstatSync(file, { bigint: true });
  if (Math.abs(Date.now() - Number(stats.ctimeMs)) > TICK_MS) return stats;
  await sleep(TICK_MS);
  return fstatSync(file, { bigint: true });
}
