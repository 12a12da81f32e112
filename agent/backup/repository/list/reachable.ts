import { CorruptError } from "../format/corrupt.ts";
import type { Id } from "../format/ids.ts";
import type { BlobType } from "../format/pack.ts";
import type { TreeNode } from "../format/tree.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { EntryBits } from "../index/entry-bits.ts";
import type { TreeSource } from "./walk-tree.ts";

export interface ReachableOptions {
  signal?: AbortSignal;
  /** A blob that something needs and no index file names. */
  onMissing: (id: Id, type: BlobType) => void;
  /** A tree that cannot be read: what lies below it is not seen. */
  onDamaged: (tree: Id, error: CorruptError) => void;
  /** Trees that were looked at so far. */
  onTree?: (done: number) => void;
}

/**
 * Marks the first entry of every blob that trees need, each tree looked at once. Beside the bits it holds only the trees that wait on the way down.
 */
export async function markReachable(
  source: TreeSource,
  index: BlobIndex,
  roots: Iterable<Id>,
  { signal, onMissing, onDamaged, onTree }: ReachableOptions,
): Promise<EntryBits> {
  const bits = new EntryBits(index.size);
  const waiting: Id[] = [];
  let done = 0;
  const mark = (id: Id, type: BlobType) => {
    const entry = index.entryOf(id, type);
    if (entry < 0) onMissing(id, type);
    else if (bits.add(entry) && type === "tree") waiting.push(id);
  };
  const markNode = ({ content = [], subtree }: TreeNode) => {
    for (const id of content) mark(id, "data");
    if (subtree !== undefined) mark(subtree, "tree");
  };
  for (const root of roots) {
    mark(root, "tree");
    for (let tree = waiting.pop(); tree !== undefined; tree = waiting.pop()) {
      signal?.throwIfAborted();
      try {
        for (const node of await source.readTree(tree, signal)) markNode(node);
      } catch (error) {
        if (!(error instanceof CorruptError)) throw error;
        onDamaged(tree, error);
      }
      done += 1;
      onTree?.(done);
    }
  }
  return bits;
}
