import type { EntryContent } from "./contents.ts";
import type { FileTask } from "./work-queue.ts";

/** Files with several names whose content is remembered; more are simply read once a name. */
const REMEMBERED_MAX = 100_000;

/** What came of reading a file of several names. */
export interface LinkedContent {
  content: EntryContent;
  /** Record of its stats. */
  stats: Uint8Array;
}

/** Files that have several names are read once. */
export class HardLinks {
  readonly #waiting = new Map<string, FileTask[]>();
  readonly #known = new Map<string, LinkedContent>();

  /** `read`: nobody reads the file yet, the caller has to. `wait`: it is told when it has been read. Or what came of it. */
  ask(key: string, task: FileTask): "read" | "wait" | LinkedContent {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.push(task);
      return "wait";
    }
    this.#waiting.set(key, []);
    return "read";
  }

  /** The file has been read, or could not be (null). Answers who waits for it. */
  tell(key: string, result: LinkedContent | null): FileTask[] {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    if (result !== null && this.#known.size < REMEMBERED_MAX) this.#known.set(key, result);
    return waiting;
  }
}
