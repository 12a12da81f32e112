import { createHash } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { errorCode } from "./walk.ts";

/** Files up to this size are read whole before they are archived, so that one which changes can be read again. In bytes. */
export const SMALL_FILE_BYTES = 8 * 1024 * 1024;
/** A small file that changed while it was read is read again, so often in all. */
export const SMALL_FILE_READS = 3;
/** A file that is locked (Windows, mostly while it is being replaced) is tried so often in all. */
const OPEN_TRIES = 3;
/** Pause before such a second try: games write a small file in one go. In milliseconds. */
const PAUSE_MS = 100;
/** Large files are read in pieces of this size, in bytes. */
const PIECE_BYTES = 256 * 1024;
/**
 * File times move in ticks (up to 10 ms on Linux, 15.6 ms on Windows): a second change within one tick leaves no trace. A file changed
 * this recently is therefore looked at again a tick later, before it is read. In milliseconds.
 */
const TICK_MS = 20;

/** What reading needs from outside. */
export interface ReadContext {
  clock: Clock;
  signal: AbortSignal;
  /** For tests: called after each piece that was read, before the file is looked at again. */
  onRead?: (location: string, bytesSoFar: number) => void | Promise<void>;
  /** Called with the size of each piece that was read. */
  onBytes?: (bytes: number) => void;
}

export type SmallRead =
  | { kind: "content"; content: Buffer; sha256: string; stats: BigIntStats; changed: boolean }
  /** Larger than it was: to be streamed. */
  | { kind: "large" };

/** Why a file could not be read although it was there: now it is something else. */
export class NotAFileError extends Error {
  override readonly name = "NotAFileError";
  readonly code = "ENOTFILE";
}

/**
 * Opens a file for reading. It neither follows a symbolic link (where the platform can tell) nor waits for the other end of a FIFO, in
 * case the file became one since it was seen.
 */
export async function openFile(location: string, context: Pick<ReadContext, "clock" | "signal">): Promise<FileHandle> {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const file = await open(location, flags);
      const stats = await file.stat();
      if (stats.isFile()) return file;
      await file.close();
      throw new NotAFileError(`${location} is not a file any more`);
    } catch (error) {
      const locked = errorCode(error) === "EBUSY" || errorCode(error) === "EAGAIN";
      if (!locked || attempt >= OPEN_TRIES) throw error;
      await context.clock.sleep(PAUSE_MS, context.signal);
    }
  }
}

/** True when nothing tells that a file was touched between two looks at it. */
export function unchanged(before: BigIntStats, after: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs && before.ino === after.ino;
}

/** Looks at an open file, a tick later when it was changed within the last one. */
async function settledStats(file: FileHandle, { clock, signal }: ReadContext): Promise<BigIntStats> {
  const stats = await file.stat({ bigint: true });
  if (Math.abs(clock.now() - Number(stats.ctimeMs)) > TICK_MS) return stats;
  await clock.sleep(TICK_MS, signal);
  return file.stat({ bigint: true });
}

/**
 * Reads a small file whole; again, up to SMALL_FILE_READS times, while it changes under the reader. `changed` is true when it changed on
 * the last try too. Errors of the operating system come through.
 */
export async function readSmall(location: string, context: ReadContext): Promise<SmallRead> {
  for (let attempt = 1; ; attempt += 1) {
    context.signal.throwIfAborted();
    const file = await openFile(location, context);
    try {
      const stats = await settledStats(file, context);
      if (stats.size > BigInt(SMALL_FILE_BYTES)) return { kind: "large" };
      const size = Number(stats.size);
      const buffer = Buffer.allocUnsafeSlow(size);
      const bytes = await readFully(file, buffer, location, context);
      const changed = bytes !== size || !unchanged(stats, await file.stat({ bigint: true }));
      if (!changed || attempt >= SMALL_FILE_READS) {
        const content = buffer.subarray(0, bytes);
        context.onBytes?.(bytes);
        return { kind: "content", content, sha256: createHash("sha256").update(content).digest("hex"), stats, changed };
      }
    } finally {
      await file.close();
    }
    await context.clock.sleep(PAUSE_MS, context.signal);
  }
}

async function readFully(file: FileHandle, buffer: Buffer, location: string, { onRead }: ReadContext): Promise<number> {
  let bytes = 0;
  while (bytes < buffer.length) {
    const { bytesRead } = await file.read(buffer, bytes, Math.min(PIECE_BYTES, buffer.length - bytes), bytes);
    if (bytesRead === 0) break;
    bytes += bytesRead;
    await onRead?.(location, bytes);
  }
  return bytes;
}

/** A large file on its way into the archive. The results stand once `pieces` has been read to its end. */
export interface StreamedFile {
  stats: BigIntStats;
  /** Never more bytes than the file had when it was opened, however much it grows meanwhile. */
  pieces: AsyncGenerator<Buffer>;
  /** What came of it. */
  outcome(): { bytes: number; sha256: string; torn?: "changed" | "unreadable" };
  /** Closes the file, also when nobody has read it. */
  close(): Promise<void>;
}

/** Opens a large file to be streamed. Errors of opening come through; an error while reading ends the stream and is in the outcome. */
export async function streamLarge(location: string, context: ReadContext): Promise<StreamedFile> {
  const file = await openFile(location, context);
  try {
    const stats = await settledStats(file, context);
    const reading = new LargeReading(file, location, stats, context);
    return { stats, pieces: reading.pieces(), outcome: () => reading.outcome(), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

class LargeReading {
  readonly #file: FileHandle;
  readonly #location: string;
  readonly #stats: BigIntStats;
  readonly #context: ReadContext;
  readonly #hash = createHash("sha256");
  #bytes = 0;
  #torn: "changed" | "unreadable" | undefined = "changed";

  constructor(file: FileHandle, location: string, stats: BigIntStats, context: ReadContext) {
    this.#file = file;
    this.#location = location;
    this.#stats = stats;
    this.#context = context;
  }

  async *pieces(): AsyncGenerator<Buffer> {
    const size = Number(this.#stats.size);
    try {
      while (this.#bytes < size && !this.#context.signal.aborted) {
        const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, size - this.#bytes));
        const { bytesRead } = await this.#file.read(piece, 0, piece.length, this.#bytes);
        if (bytesRead === 0) break;
        const bytes = piece.subarray(0, bytesRead);
        await this.#context.onRead?.(this.#location, this.#bytes + bytesRead);
        // From here on the piece is in the archive, so that hash and size are of what is there.
        this.#hash.update(bytes);
        this.#bytes += bytesRead;
        this.#context.onBytes?.(bytesRead);
        yield bytes;
      }
      const after = await this.#file.stat({ bigint: true });
      this.#torn = this.#bytes === size && unchanged(this.#stats, after) ? undefined : "changed";
    } catch (error) {
      // Not an error of the operating system: an error of ours.
      if (errorCode(error) === undefined) throw error;
      this.#torn = "unreadable";
    } finally {
      await this.#file.close();
    }
  }

  outcome() {
    return { bytes: this.#bytes, sha256: this.#hash.copy().digest("hex"), torn: this.#torn };
  }
}
