import type { Snapshot } from "../format/snapshot.ts";
import type { TreeNode } from "../format/tree.ts";
import { findNode, namesOf } from "./find-node.ts";
import { joinBytes, type TreeSource, walkTree } from "./walk-tree.ts";

export interface ListedEntry {
  /** From the snapshot's root, with a `/` at the start. Bytes that are not UTF-8 stand as U+FFFD. */
  path: string;
  /** The same as raw bytes. */
  bytes: Buffer;
  node: TreeNode;
}

/**
 * What a snapshot holds at a path (absent: at its root): the folder's entries, with `recursive` all below them; for anything but a folder, itself.
 * @throws AgentError `path-missing`; CorruptError when a tree on the way cannot be read
 */
export async function* ls(
  repository: TreeSource,
  snapshot: Pick<Snapshot, "tree">,
  path = "/",
  { recursive = false, signal }: { recursive?: boolean; signal?: AbortSignal } = {},
): AsyncGenerator<ListedEntry> {
  const prefix = namesOf(path).reduce(joinBytes, Buffer.alloc(0));
  const node = await findNode(repository, snapshot.tree, path, signal);
  if (node !== null && node.type !== "dir") {
    yield listed(prefix, node);
    return;
  }
  const tree = node === null ? snapshot.tree : node.subtree;
  if (tree === undefined) return;
  for await (const entry of walkTree(repository, tree, { prefix, signal, descend: () => recursive })) yield listed(entry.path, entry.node);
}

function listed(path: Buffer, node: TreeNode): ListedEntry {
  return { path: `/${path.toString()}`, bytes: path, node };
}
