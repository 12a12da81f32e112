import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { errorCode } from "../../error-code.ts";
import { lengthHolds, NotAFileError, unchanged } from "../../read-file.ts";
import { systemPath } from "./paths.ts";

/** A file that is locked (Windows, mostly while it is being replaced) is tried so often in all. */
const OPEN_TRIES = 3;
/** Pause before such a second try, in milliseconds. */
const PAUSE_MS = 100;
/** File times move in ticks; read-file.ts tells why a file that was changed within the last one is looked at again. In milliseconds. */
const TICK_MS = 20;
/** The operating system reads at most 2 GiB at once; this is as fast. In bytes. */
const READ_BYTES_MAX = 64 * 1024 * 1024;

/** Time, as a thread may use it that has nothing else to do. */
export interface BlockingClock {
  now(): number;
  sleep(ms: number): void;
}

const neverChanges = new Int32Array(new SharedArrayBuffer(4));

export const blockingClock: BlockingClock = {
  now: () => Date.now(),
  sleep: (ms) => {
    Atomics.wait(neverChanges, 0, 0, ms);
  },
};

/** An open file, with how it looked before its first byte was read. */
export class OpenFile {
  readonly before: BigIntStats;
  readonly #descriptor: number;
  readonly #length: number | undefined;
  #position = 0;

  /**
   * Opens a file without following a symbolic link (where the platform can tell) and without waiting for the other end of a FIFO, in case it
   * became one since it was seen. Errors of the operating system come through.
   * @param length Only so many bytes belong to it: the server said that they are complete.
   */
  constructor(path: Uint8Array, clock: BlockingClock = blockingClock, length?: number) {
    this.#length = length;
    this.#descriptor = openLocked(path, clock);
    try {
      let stats = fstatSync(this.#descriptor, { bigint: true });
      if (!stats.isFile()) throw new NotAFileError(`${Buffer.from(path)} is not a file any more`);
      if (Math.abs(clock.now() - Number(stats.ctimeMs)) <= TICK_MS) {
        clock.sleep(TICK_MS);
        stats = fstatSync(this.#descriptor, { bigint: true });
      }
      if (length !== undefined && stats.size > BigInt(length)) stats.size = BigInt(length);
      this.before = stats;
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
  }

  /** Bytes that it had when it was opened: more are never read, however much it grows. */
  get size(): number {
    return Number(this.before.size);
  }

  get position(): number {
    return this.#position;
  }

  get atEnd(): boolean {
    return this.#position >= this.size;
  }

  /** Reads on, until the room from `at` to `end` is full or the file ends. Answers the bytes. A file that was cut short ends early. */
  read(target: Buffer, at: number, end: number): number {
    const wanted = Math.min(end - at, this.size - this.#position);
    let done = 0;
    while (done < wanted) {
      const bytes = readSync(this.#descriptor, target, at + done, Math.min(wanted - done, READ_BYTES_MAX), this.#position);
      if (bytes === 0) break;
      done += bytes;
      this.#position += bytes;
    }
    return done;
  }

  /** Looks at the file again, and says what has changed since it was opened, if anything has. */
  whatChanged(): string | undefined {
    const stats = fstatSync(this.#descriptor, { bigint: true });
    if (this.#length !== undefined) {
      if (lengthHolds(this.#length, this.#position, stats)) return undefined;
      return `${this.#position} bytes could be read of the ${this.#length} that the server said are complete`;
    }
    if (unchanged(this.before, stats) && this.#position === this.size) return undefined;
    return difference(this.before, stats, this.#position);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function openLocked(path: Uint8Array, clock: BlockingClock): number {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return openSync(systemPath(path), flags);
    } catch (error) {
      const locked = errorCode(error) === "EBUSY" || errorCode(error) === "EAGAIN";
      if (!locked || attempt >= OPEN_TRIES) throw error;
      clock.sleep(PAUSE_MS);
    }
  }
}

/** The evidence that a file changed while it was read, in words. */
export function difference(before: BigIntStats, after: BigIntStats, read: number): string {
  const told: string[] = [];
  if (before.size !== after.size) told.push(`size from ${before.size} to ${after.size} bytes`);
  else if (BigInt(read) !== before.size) told.push(`${read} bytes could be read instead of ${before.size}`);
  if (before.mtimeNs !== after.mtimeNs) told.push(`mtime from ${time(before.mtimeNs)} to ${time(after.mtimeNs)}`);
  else if (before.ctimeNs !== after.ctimeNs) told.push(`ctime from ${time(before.ctimeNs)} to ${time(after.ctimeNs)}`);
  return told.join(", ");
}

const NS_IN_S = 1_000_000_000n;

/** A time with nanoseconds: changes within one millisecond are evidence too. */
function time(ns: bigint): string {
  const seconds = ns / NS_IN_S - (ns % NS_IN_S < 0n ? 1n : 0n);
  const rest = ns - seconds * NS_IN_S;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${rest.toString().padStart(9, "0")}Z`;
}
