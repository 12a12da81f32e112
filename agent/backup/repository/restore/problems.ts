export type RestoreProblemKind =
  /** Content is missing: the file stands beside its place, as NAME.reconsync-damaged, or its folder's tree cannot be read. */
  | "damaged"
  /** The operating system refused. */
  | "unwritable"
  /** Device, FIFO or socket: not made. */
  | "special"
  /** The name cannot be had here. */
  | "name"
  /** Written, but without all of its owner, mode, times or attributes. */
  | "metadata"
  /** The content adds up to another size than the snapshot says. */
  | "size";

export interface RestoreProblem {
  /** From the snapshot's root, with a `/` at the start. */
  path: string;
  kind: RestoreProblemKind;
  detail: string;
}

/** So many problems are told one by one; the rest is counted. */
const TOLD_MAX = 1000;

/** What went wrong in a restore: each kind counted, the first ones told. */
export class RestoreProblems {
  readonly told: RestoreProblem[] = [];
  readonly counts: Partial<Record<RestoreProblemKind, number>> = {};

  add(path: Buffer, kind: RestoreProblemKind, detail: string): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    if (this.told.length < TOLD_MAX) this.told.push({ path: `/${path.toString()}`, kind, detail });
  }

  get count(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }
}
