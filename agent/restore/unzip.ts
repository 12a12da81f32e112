import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, renameSync, symlinkSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import type { Entry, ZipFile } from "yauzl";
import { errorCode } from "../backup/error-code.ts";
import { applyLinkMeta, applyMeta, type FileMeta } from "../backup/repository/restore/file-meta.ts";
import { damagedPath } from "../backup/repository/restore/names.ts";
import { isFull, ranFull } from "../backup/repository/restore/space.ts";
import { AgentError } from "../errors.ts";
import { type Extracted, TOLD_MAX } from "./source.ts";
import type { WantedEntry } from "./zip-source.ts";

export interface UnzipOptions {
  /** The archive, with names left as bytes. It is closed here. */
  open: () => Promise<ZipFile>;
  /** A folder that is empty or not there. */
  target: string;
  /** What the manifest says of each path that is to be written. */
  wanted: ReadonlyMap<string, WantedEntry>;
  /** Where a path goes, relative to the target. */
  placeOf: (path: string) => string | Buffer;
  report: (progress: { done: number; total: number }) => void;
  signal: AbortSignal;
  /** Of the archive, for people. */
  name: string;
}

/** Nobody else looks into a folder or a file before it has its own mode. */
const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
/** Blocks of zeros of this size become holes, in bytes: the block of the usual file systems. */
const HOLE_BYTES = 4096;

/**
 * Writes entries of an archive into a folder, each checked against the hash in the manifest. Content that is not what the manifest says is damage; the
 * rest is still written, so that one can take from it what is whole.
 * @throws AgentError `archive-corrupt` when its directory cannot be read, `restore-no-space`, `restore-target-unwritable`
 */
export async function unzip(options: UnzipOptions): Promise<Extracted> {
  const { open, target, wanted, signal } = options;
  mkdirSync(target, { recursive: true, mode: PRIVATE_FOLDER });
  const zip = await open().catch((error: unknown) => {
    throw error instanceof AgentError ? error : corrupt(options.name, error);
  });
  const run = new Unzip(zip, options);
  try {
    const entries = zip.eachEntry();
    for (;;) {
      const next = await entries.next().catch((error: unknown) => {
        throw error instanceof AgentError ? error : corrupt(options.name, error);
      });
      if (next.done) break;
      signal.throwIfAborted();
      await run.write(next.value);
    }
    for (const path of wanted.keys()) if (!run.seen.has(path)) run.damage(path, "the archive does not have it");
    run.finish();
    return run.extracted;
  } catch (error) {
    signal.throwIfAborted();
    if (isFull(errorCode(error))) throw ranFull(target, error);
    throw error;
  } finally {
    zip.close();
  }
}

class Unzip {
  readonly extracted: Extracted = { files: 0, bytes: 0, damaged: [], damagedCount: 0, notes: [] };
  readonly seen = new Set<string>();
  readonly #zip: ZipFile;
  readonly #options: UnzipOptions;
  readonly #total: number;
  /** They get their times last: what is made in them would change these. */
  readonly #folders: { location: string; meta: FileMeta; path: string }[] = [];
  /** They are made when all files are there: nothing is ever written through a link of the archive. */
  readonly #links: { location: string; wanted: WantedEntry & { type: "symlink" } }[] = [];

  constructor(zip: ZipFile, options: UnzipOptions) {
    this.#zip = zip;
    this.#options = options;
    this.#total = [...options.wanted.values()].reduce((sum, entry) => sum + (entry.type === "file" ? entry.bytes : 0), 0);
  }

  async write(entry: Entry): Promise<void> {
    const path = entry.fileNameRaw.toString("utf8").replace(/\/$/, "");
    const wanted = this.#options.wanted.get(path);
    if (wanted === undefined) return;
    if (this.seen.has(path)) {
      this.damage(path, "the archive has it twice");
      return;
    }
    this.seen.add(path);
    const location = join(this.#options.target, String(this.#options.placeOf(path)));
    mkdirSync(dirname(location), { recursive: true, mode: PRIVATE_FOLDER });
    if (wanted.type === "directory") {
      mkdirSync(location, { recursive: true, mode: PRIVATE_FOLDER });
      this.#folders.push({ location, meta: metaOf(wanted), path });
    } else if (wanted.type === "symlink") this.#links.push({ location, wanted });
    else await this.#file(entry, location, wanted);
  }

  /** Deepest folders first: one that is read-only keeps nobody from finishing what is in it. */
  finish(): void {
    for (const { location, wanted } of this.#links) this.#link(location, wanted);
    for (const { location, meta, path } of this.#folders.reverse()) {
      if (process.platform === "win32") continue;
      const fd = openSync(location, "r");
      try {
        this.#note(path, applyMeta(fd, meta));
      } finally {
        closeSync(fd);
      }
    }
  }

  damage(path: string, what: string): void {
    this.extracted.damagedCount += 1;
    if (this.extracted.damaged.length < TOLD_MAX) this.extracted.damaged.push(`${path}: ${what}`);
  }

  #note(path: string, what: string | null): void {
    if (what !== null && this.extracted.notes.length < TOLD_MAX) this.extracted.notes.push(`${path}: ${what}`);
  }

  #link(location: string, wanted: WantedEntry & { type: "symlink" }): void {
    try {
      symlinkSync(wanted.target, location);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
      this.damage(wanted.path, "the archive has a link and something else at the same place");
      return;
    }
    this.#note(wanted.path, applyLinkMeta(location, metaOf(wanted)));
    this.extracted.files += 1;
  }

  async #file(entry: Entry, location: string, wanted: WantedEntry & { type: "file" }): Promise<void> {
    const fd = openSync(location, "wx", PRIVATE_FILE);
    try {
      const problem = await this.#content(entry, fd, wanted);
      this.#note(wanted.path, applyMeta(fd, metaOf(wanted)));
      if (problem === null) {
        this.extracted.files += 1;
        return;
      }
      this.damage(wanted.path, problem);
    } finally {
      closeSync(fd);
    }
    renameSync(location, damagedPath(location));
  }

  /** Answers what is wrong with the content, or null. */
  async #content(entry: Entry, fd: number, wanted: WantedEntry & { type: "file" }): Promise<string | null> {
    const { signal, report } = this.#options;
    const hash = createHash("sha256");
    let bytes = 0;
    let stream: Readable | undefined;
    try {
      stream = await this.#zip.openReadStreamPromise(entry);
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        signal.throwIfAborted();
        hash.update(chunk);
        writeSparse(fd, chunk, bytes);
        bytes += chunk.length;
        this.extracted.bytes += chunk.length;
        report({ done: Math.min(this.extracted.bytes, this.#total), total: this.#total });
      }
      // What ends in a hole has its size only now.
      ftruncateSync(fd, bytes);
    } catch (error) {
      signal.throwIfAborted();
      // What the disk or the Worker says is no damage of the archive.
      if (isSystemError(error) || error instanceof AgentError) throw error;
      return error instanceof Error ? error.message : String(error);
    } finally {
      stream?.destroy();
    }
    if (bytes !== wanted.bytes) return `it has ${bytes} bytes instead of ${wanted.bytes}`;
    return hash.digest("hex") === wanted.sha256 ? null : "its content is not what the manifest says";
  }
}

/** zlib's errors have a code too, and say that the content is damaged. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

/** Writes a chunk at a place, but for whole blocks of zeros: in a new file these read as zeros anyway, and take no room. */
export function writeSparse(fd: number, chunk: Buffer, at: number): void {
  let from = 0;
  while (from < chunk.length) {
    const end = Math.min(chunk.length, from + HOLE_BYTES - ((at + from) % HOLE_BYTES));
    if (isZero(chunk.subarray(from, end))) {
      from = end;
      continue;
    }
    let to = end;
    while (to < chunk.length && !isZero(chunk.subarray(to, Math.min(chunk.length, to + HOLE_BYTES))))
      to = Math.min(chunk.length, to + HOLE_BYTES);
    for (let done = from; done < to; ) done += writeSync(fd, chunk, done, to - done, at + done);
    from = to;
  }
}

const ZEROS = Buffer.alloc(HOLE_BYTES);

function isZero(block: Buffer): boolean {
  return block.length > 0 && block.equals(ZEROS.subarray(0, block.length));
}

function metaOf({ mode, mtime }: WantedEntry): FileMeta {
  const time = String(mtime / 1000);
  return { mode, atime: time, mtime: time };
}

function corrupt(name: string, cause: unknown): AgentError {
  const words = cause instanceof Error ? cause.message : String(cause);
  return new AgentError(
    "archive-corrupt",
    `The ${name} is damaged or not a zip archive: ${words}. Nothing was changed. Use another backup.`,
    { cause },
  );
}
