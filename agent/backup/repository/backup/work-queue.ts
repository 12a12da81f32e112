import type { Folder } from "./folder.ts";

/** A file that a thread has to read. */
export interface FileTask {
  folder: Folder;
  entry: number;
  /** Bytes when it was last looked at. */
  bytes: number;
  /** `read`: new or changed. `reread`: unchanged, read to see that it is. `copy`: a database in use, to be copied first. */
  purpose: "read" | "reread" | "copy";
  /** How often it has been read. */
  tries: number;
  /** Entries of files that SQLite keeps beside it, and that wait for what it turns out to be. */
  beside: number[];
  /** `fileKey` of a file of several names that is read for all of them. */
  linkKey?: string;
}

/** So many files of a batch at most: what happens to a thread's files is told once a batch. */
const BATCH_FILES = 256;
/** When more small files wait, they go before large ones: who adds them waits for room, and only then is known how much there is to do. */
export const SMALL_WAITING_MAX = 8192;
/** So many small files that were taken are kept at most. */
const TAKEN_MAX = 2048;
/** Bytes of a batch of small files at most. */
export const BATCH_BYTES = 4 * 1024 * 1024;

export type Work = { kind: "batch"; tasks: FileTask[] } | { kind: "large"; task: FileTask };

/**
 * Files that wait to be read. Large ones come out largest first, by powers of two, so that none of them ends last; then small ones in batches, in
 * the order they came in, so that files of a folder lie together.
 */
export class WorkQueue {
  readonly #smallBytes: number;
  readonly #small: FileTask[] = [];
  #smallHead = 0;
  readonly #large: FileTask[][] = [];
  #waiting: ((work: Work | null) => void)[] = [];
  readonly #drained: (() => void)[] = [];
  #outstanding = 0;
  #sealed = false;
  /** Files and bytes that nobody has taken yet. */
  files = 0;
  bytes = 0;
  /** Bytes of all that was ever added. */
  bytesAdded = 0;
  #stopped = false;

  /** @param smallBytes Files up to this size go into batches. */
  constructor(smallBytes: number) {
    this.#smallBytes = smallBytes;
  }

  add(task: FileTask): void {
    this.files += 1;
    this.bytes += task.bytes;
    this.bytesAdded += task.bytes;
    if (task.bytes <= this.#smallBytes && task.purpose !== "copy") this.#small.push(task);
    else {
      const bucket = Math.floor(Math.log2(task.bytes + 1));
      this.#large[bucket] ??= [];
      this.#large[bucket].push(task);
    }
    const next = this.#waiting.shift();
    if (next !== undefined) next(this.take());
  }

  /** What is to be done next, if anything is there. */
  take(): Work | null {
    if (this.#stopped) return null;
    const crowded = this.#small.length - this.#smallHead > SMALL_WAITING_MAX;
    const task = crowded ? null : this.#takeLarge();
    if (task !== null) return { kind: "large", task };
    const tasks = this.#takeBatch();
    return tasks.length === 0 ? null : { kind: "batch", tasks };
  }

  /** Waits for work; null when nothing more can come. */
  next(): Promise<Work | null> {
    const work = this.take();
    if (work !== null || this.#ended) return Promise.resolve(work);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Waits until no more than so many files wait. */
  async shorterThan(files: number, signal: AbortSignal): Promise<void> {
    while (this.files > files) {
      await new Promise<void>((resolve) => this.#drained.push(resolve));
      signal.throwIfAborted();
    }
  }

  /** A task that was taken has come to its end. What it leads to has been added before. */
  done(): void {
    this.#outstanding -= 1;
    this.#wakeAtEnd();
  }

  /** Nothing is added any more but by tasks that are being worked on. */
  seal(): void {
    this.#sealed = true;
    this.#wakeAtEnd();
  }

  /** Nothing is handed out any more. */
  stop(): void {
    this.#stopped = true;
    for (const resolve of this.#drained.splice(0)) resolve();
    this.#wakeAtEnd();
  }

  get #ended(): boolean {
    return this.#stopped || (this.#sealed && this.files === 0 && this.#outstanding === 0);
  }

  #wakeAtEnd(): void {
    if (!this.#ended) return;
    for (const resolve of this.#waiting) resolve(null);
    this.#waiting = [];
  }

  #takeLarge(): FileTask | null {
    for (let bucket = this.#large.length - 1; bucket >= 0; bucket -= 1) {
      const task = this.#large[bucket]?.shift();
      if (task === undefined) continue;
      this.#took(task);
      return task;
    }
    return null;
  }

  #takeBatch(): FileTask[] {
    const tasks: FileTask[] = [];
    let bytes = 0;
    while (tasks.length < BATCH_FILES) {
      const task = this.#small[this.#smallHead];
      if (task === undefined || (tasks.length > 0 && bytes + task.bytes > BATCH_BYTES)) break;
      this.#smallHead += 1;
      bytes += task.bytes;
      this.#took(task);
      tasks.push(task);
    }
    // What was taken is let go from time to time: its folders hold what was stored of each of their files.
    if (this.#smallHead >= TAKEN_MAX) {
      this.#small.splice(0, this.#smallHead);
      this.#smallHead = 0;
    }
    return tasks;
  }

  #took(task: FileTask): void {
    this.files -= 1;
    this.bytes -= task.bytes;
    this.#outstanding += 1;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}
