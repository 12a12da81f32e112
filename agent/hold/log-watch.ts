import { lstat, open, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { errorCode } from "../backup/error-code.ts";
import { OPEN_FLAGS } from "../backup/read-file.ts";
import type { Clock } from "../clock.ts";
import { AgentError } from "../errors.ts";
import { found, type Pattern } from "./pattern.ts";

/** Pause between two looks at a log, in milliseconds. */
const LOOK_EVERY_MS = 200;
/** So much is read at once, in bytes. */
const PIECE_BYTES = 256 * 1024;
/** Of a line that is longer, only its end is looked at, in bytes. */
const LINE_BYTES_MAX = 64 * 1024;
/** A log that grows by more than this while it is watched is not read on, in bytes: no save takes so many lines. */
const WATCHED_BYTES_MAX = 256 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** A log file from a moment on: what was written before does not count. */
export class LogWatch {
  readonly #folder: string;
  readonly #path: string;
  #inode: bigint;
  #position: number;
  #rest = Buffer.alloc(0);
  #watched = 0;

  private constructor(folder: string, path: string, { inode, size }: { inode: bigint; size: number }) {
    this.#folder = folder;
    this.#path = path;
    this.#inode = inode;
    this.#position = size;
  }

  /**
   * @param path Relative to the server's folder, with `/`. A file that is not there yet is watched from its beginning.
   * @throws AgentError `hold-log-unreadable`
   */
  static async from(folder: string, path: string): Promise<LogWatch> {
    const location = join(folder, path);
    try {
      const stats = await lstat(location, { bigint: true });
      return new LogWatch(folder, path, { inode: stats.ino, size: Number(stats.size) });
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw unreadable(path, error);
      return new LogWatch(folder, path, { inode: 0n, size: 0 });
    }
  }

  /**
   * The first complete line from now on that holds the pattern. A log that is replaced or cut short is read from its beginning.
   * @throws AgentError `hold-log-unreadable`; the signal's reason.
   */
  async line(pattern: Pattern, clock: Clock, signal: AbortSignal): Promise<string> {
    for (;;) {
      for (let lines = await this.#read(); lines !== undefined; lines = await this.#read()) {
        const hit = lines.find((line) => found(pattern, line) !== undefined);
        if (hit !== undefined) return hit;
        signal.throwIfAborted();
      }
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      signal.throwIfAborted();
    }
  }

  /** Complete lines that came since the last look; undefined when the end is reached. */
  async #read(): Promise<string[] | undefined> {
    try {
      const location = await this.#inside();
      if (location === undefined) return undefined;
      const file = await open(location, OPEN_FLAGS);
      try {
        const stats = await file.stat({ bigint: true });
        if (!stats.isFile()) throw new AgentError("hold-log-unreadable", `the log ${this.#path} is no file`);
        if (stats.ino !== this.#inode || Number(stats.size) < this.#position) this.#startOver(stats.ino);
        const piece = Buffer.allocUnsafe(PIECE_BYTES);
        const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, this.#position);
        if (bytesRead === 0) return undefined;
        this.#position += bytesRead;
        this.#watched += bytesRead;
        if (this.#watched > WATCHED_BYTES_MAX)
          throw new AgentError("hold-log-unreadable", `the log ${this.#path} grows too fast to be watched`);
        return this.#linesOf(piece.subarray(0, bytesRead));
      } finally {
        await file.close();
      }
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error instanceof AgentError ? error : unreadable(this.#path, error);
    }
  }

  /** Where the file really lies: a link could lead out of the server's folder. */
  async #inside(): Promise<string | undefined> {
    const [root, location] = await Promise.all([realpath(this.#folder), realpath(join(this.#folder, this.#path))]);
    if (location.startsWith(root.endsWith(sep) ? root : `${root}${sep}`)) return location;
    throw new AgentError("hold-log-unreadable", `the log ${this.#path} is a link that leads out of the server's folder`);
  }

  #startOver(inode: bigint): void {
    this.#inode = inode;
    this.#position = 0;
    this.#rest = Buffer.alloc(0);
  }

  #linesOf(piece: Buffer): string[] {
    const bytes = Buffer.concat([this.#rest, piece]);
    const end = bytes.lastIndexOf(LINE_FEED);
    // Cut at line feeds before it becomes text: no character is torn.
    this.#rest = Buffer.from(bytes.subarray(end + 1)).subarray(-LINE_BYTES_MAX);
    if (end < 0) return [];
    return bytes
      .toString("utf8", 0, end)
      .split("\n")
      .map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  }
}

function unreadable(path: string, cause: unknown): AgentError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AgentError("hold-log-unreadable", `the log ${path} cannot be read: ${why}`, { cause });
}
