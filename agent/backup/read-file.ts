import { createHash } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { errorCode } from "./error-code.ts";

/** Files up to this size are read whole before they are archived, so that one which changes can be read again. In bytes. */
export const SMALL_FILE_BYTES = 8 * 1024 * 1024;
/** A small file that changed while it was read is read again, so often in all. */
export const SMALL_FILE_READS = 3;
/** A file that is locked (Windows, mostly while it is being replaced) is tried so often in all. */
export const OPEN_TRIES = 3;
/** Pause before such a second try: games write a small file in one go. In milliseconds. */
export const PAUSE_MS = 100;
/** Files are read in pieces of this size, in bytes. */
export const PIECE_BYTES = 256 * 1024;
/**
 * File times move in ticks (up to 10 ms on Linux, 15.6 ms on Windows): a second change within one tick leaves no trace. A file changed
 * this recently is therefore looked at again a tick later, before it is read. In milliseconds.
 */
export const TICK_MS = 20;
/** Neither follows a symbolic link (where the platform can tell) nor waits for the other end of a FIFO. */
export const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** What reading needs from outside. */
export interface ReadContext {
  clock: Clock;
  signal: AbortSignal;
  /** For tests: called after each piece that was read, before the file is looked at again. */
  onRead?: (location: string, bytesSoFar: number) => void | Promise<void>;
  /** Called with the size of each piece that was read. */
  onBytes?: (bytes: number) => void;
}

/** Why a file could not be read although it was there: now it is something else. */
export class NotAFileError extends Error {
  override readonly name = "NotAFileError";
  readonly code = "ENOTFILE";

  constructor(location: string) {
    super(`${location} is not a file any more`);
  }
}

/** True for what a second try may open. */
export function isLocked(error: unknown): boolean {
  return errorCode(error) === "EBUSY" || errorCode(error) === "EAGAIN";
}

/**
 * Opens a file for reading. It neither follows a symbolic link (where the platform can tell) nor waits for the other end of a FIFO, in
 * case the file became one since it was seen.
 */
export async function openFile(location: string, context: Pick<ReadContext, "clock" | "signal">): Promise<FileHandle> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const file = await open(location, OPEN_FLAGS);
      const stats = await file.stat();
      if (stats.isFile()) return file;
      await file.close();
      throw new NotAFileError(location);
    } catch (error) {
      if (!isLocked(error) || attempt >= OPEN_TRIES) throw error;
      await context.clock.sleep(PAUSE_MS, context.signal);
    }
  }
}

/**
 * Whether all is well with a file of which the server said that its first `length` bytes are complete: they were read, and it has not become
 * shorter. What is appended meanwhile, and when, tells nothing.
 */
export function lengthHolds(length: number, bytesRead: number, after: BigIntStats): boolean {
  return bytesRead === length && after.size >= BigInt(length);
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

/** A large file on its way into the archive. */
export interface StreamedFile {
  stats: BigIntStats;
  /**
   * Fills `memory` with what comes next, as far as there is more. Answers how many bytes; none at the end. They are never more in all than the
   * file had when it was opened, however much it grows meanwhile. An error while reading ends the file too, and is in the outcome.
   */
  read(memory: Buffer): Promise<number>;
  /** What came of it, once it has been read to its end. */
  outcome(): { bytes: number; sha256: string; torn?: "changed" | "unreadable" };
  /** Closes the file, also when nobody has read it. */
  close(): Promise<void>;
}

/** Opens a large file to be streamed, up to `length` bytes when that is given. Errors of opening come through. */
export async function streamLarge(location: string, context: ReadContext, length?: number): Promise<StreamedFile> {
  const file = await openFile(location, context);
  try {
    return new LargeFile(file, location, { stats: await settledStats(file, context), length }, context);
  } catch (error) {
    await file.close();
    throw error;
  }
}

class LargeFile implements StreamedFile {
  readonly stats: BigIntStats;
  readonly #file: FileHandle;
  readonly #location: string;
  readonly #context: ReadContext;
  readonly #length: number | undefined;
  readonly #hash = createHash("sha256");
  #bytes = 0;
  #ended = false;
  #torn: "changed" | "unreadable" | undefined = "changed";

  constructor(file: FileHandle, location: string, { stats, length }: { stats: BigIntStats; length?: number }, context: ReadContext) {
    this.#file = file;
    this.#location = location;
    this.#length = length;
    if (length !== undefined && stats.size > BigInt(length)) stats.size = BigInt(length);
    this.stats = stats;
    this.#context = context;
  }

  async read(memory: Buffer): Promise<number> {
    const size = Number(this.stats.size);
    const wanted = this.#ended ? 0 : Math.min(memory.length, size - this.#bytes);
    const filled = await this.#fill(memory, wanted);
    // From here on the bytes are in the archive, so that hash and size are of what is there.
    this.#hash.update(memory.subarray(0, filled));
    this.#bytes += filled;
    if (!this.#ended && (filled < wanted || this.#bytes === size)) await this.#end();
    return filled;
  }

  outcome() {
    return { bytes: this.#bytes, sha256: this.#hash.copy().digest("hex"), torn: this.#torn };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Reads up to `wanted` bytes, less at the end of the file and where it breaks off. */
  async #fill(memory: Buffer, wanted: number): Promise<number> {
    let filled = 0;
    try {
      while (filled < wanted && !this.#context.signal.aborted) {
        const { bytesRead } = await this.#file.read(memory, filled, Math.min(PIECE_BYTES, wanted - filled), this.#bytes + filled);
        if (bytesRead === 0) break;
        await this.#context.onRead?.(this.#location, this.#bytes + filled + bytesRead);
        filled += bytesRead;
        this.#context.onBytes?.(bytesRead);
      }
    } catch (error) {
      this.#breakOff(error);
    }
    return filled;
  }

  /** Looks whether the file is still what it was when it was opened. */
  async #end(): Promise<void> {
    this.#ended = true;
    try {
      const after = await this.#file.stat({ bigint: true });
      const whole =
        this.#length === undefined
          ? this.#bytes === Number(this.stats.size) && unchanged(this.stats, after)
          : lengthHolds(this.#length, this.#bytes, after);
      if (whole) this.#torn = undefined;
    } catch (error) {
      this.#breakOff(error);
    }
  }

  /** @throws what is not an error of the operating system: it is an error of ours. */
  #breakOff(error: unknown): void {
    if (errorCode(error) === undefined) throw error;
    this.#torn = "unreadable";
    this.#ended = true;
  }
}
