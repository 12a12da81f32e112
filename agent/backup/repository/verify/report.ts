import type { Id } from "../format/ids.ts";

export type BrokenKind = "config" | "key" | "lock" | "snapshot" | "index" | "pack" | "tree" | "blob";

/** A file or folder that a broken object takes content from. */
export interface HitFile {
  snapshot: Id;
  /** From the snapshot's root, with a `/` at the start; folders end with one. */
  path: string;
}

/** One broken object of a repository. */
export interface VerifyProblem {
  kind: BrokenKind;
  /** Its id; "config" for the config. */
  name: string;
  wrong: string;
  /** The first hundred of what it hits. Empty when another copy has all that it held, or nothing needs it. */
  files: HitFile[];
  /** How many there are in all snapshots. */
  fileCount: number;
  /** The snapshots that they are in. */
  snapshots: Id[];
}

export interface VerifyReport {
  ok: boolean;
  /** The first thousand. */
  problems: VerifyProblem[];
  problemCount: number;
  snapshots: number;
  indexes: number;
  packs: number;
  /** Packs that were read whole, and their bytes. */
  packsRead: number;
  bytesRead: number;
  /** The first pack of the arc that there was no time for. */
  unread?: Id;
  blobs: number;
  /** Packs that no index file names: left by a run that was killed, and taken over by the next one or by prune. */
  strayPacks: number;
  /** Milliseconds. */
  ms: number;
}

const PROBLEMS_MAX = 1000;
const FILES_MAX = 100;

/** Broken objects as they are found, each once. */
export class Problems {
  readonly #byName = new Map<string, VerifyProblem>();
  #count = 0;

  /** Answers the problem that stands for the object: the first thing that was found wrong is told. Null when there are too many. */
  add(kind: BrokenKind, name: string, wrong: string): VerifyProblem | null {
    const key = `${kind} ${name}`;
    const known = this.#byName.get(key);
    if (known !== undefined) {
      if (!known.wrong.includes(wrong)) known.wrong += `; ${wrong}`;
      return known;
    }
    this.#count += 1;
    if (this.#byName.size >= PROBLEMS_MAX) return null;
    const problem: VerifyProblem = { kind, name, wrong, files: [], fileCount: 0, snapshots: [] };
    this.#byName.set(key, problem);
    return problem;
  }

  find(kind: BrokenKind, name: string): VerifyProblem | undefined {
    return this.#byName.get(`${kind} ${name}`);
  }

  get all(): VerifyProblem[] {
    return [...this.#byName.values()];
  }

  get count(): number {
    return this.#count;
  }
}

export function addHit(problem: VerifyProblem, hit: HitFile): void {
  problem.fileCount += 1;
  // They come snapshot by snapshot.
  if (problem.snapshots.at(-1) !== hit.snapshot) problem.snapshots.push(hit.snapshot);
  if (problem.files.length < FILES_MAX) problem.files.push(hit);
}
