import type { Id } from "../format/ids.ts";
import type { Snapshot } from "../format/snapshot.ts";
import type { TreeSource } from "./walk-tree.ts";

/** How much a snapshot holds: what a restore of all of it writes. Hard links count each time. */
export interface SnapshotSize {
  files: number;
  directories: number;
  bytes: number;
}

/** Trees whose size is remembered, so that folders that many snapshots share are counted once. */
const REMEMBERED_MAX = 200_000;

/** Counts snapshots one after another. */
export class SnapshotSizes {
  readonly #source: TreeSource;
  readonly #known = new Map<Id, SnapshotSize>();

  constructor(source: TreeSource) {
    this.#source = source;
  }

  /** @throws CorruptError when a tree cannot be read */
  async of({ tree }: Pick<Snapshot, "tree">, signal?: AbortSignal): Promise<SnapshotSize> {
    const frames: { id: Id; trees: Id[]; size: SnapshotSize }[] = [await this.#frame(tree, signal)];
    for (;;) {
      const frame = frames.at(-1) as (typeof frames)[number];
      const next = frame.trees.pop();
      if (next !== undefined) {
        const known = this.#known.get(next);
        if (known !== undefined) add(frame.size, known);
        else frames.push(await this.#frame(next, signal));
        continue;
      }
      frames.pop();
      if (this.#known.size < REMEMBERED_MAX) this.#known.set(frame.id, frame.size);
      const parent = frames.at(-1);
      if (parent === undefined) return frame.size;
      add(parent.size, frame.size);
    }
  }

  async #frame(id: Id, signal: AbortSignal | undefined): Promise<{ id: Id; trees: Id[]; size: SnapshotSize }> {
    const size = { files: 0, directories: 0, bytes: 0 };
    const trees: Id[] = [];
    signal?.throwIfAborted();
    for (const node of await this.#source.readTree(id, signal)) {
      if (node.type === "file") {
        size.files += 1;
        size.bytes += Number(node.size ?? 0n);
      } else if (node.type === "dir") {
        size.directories += 1;
        if (node.subtree !== undefined) trees.push(node.subtree);
      }
    }
    return { id, trees, size };
  }
}

function add(to: SnapshotSize, from: SnapshotSize): void {
  to.files += from.files;
  to.directories += from.directories;
  to.bytes += from.bytes;
}
