import { AgentError } from "../../../errors.ts";
import type { Id } from "../format/ids.ts";
import type { TreeNode } from "../format/tree.ts";
import type { TreeSource } from "./walk-tree.ts";

/** The names of a path in a snapshot: `/srv/world` and `srv/world/` are the same. */
export function namesOf(path: string): Buffer[] {
  return path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .map((name) => Buffer.from(name));
}

/**
 * The node at a path below a tree, or null for the root itself.
 * @throws AgentError `path-missing`
 */
export async function findNode(source: TreeSource, root: Id, path: string, signal?: AbortSignal): Promise<TreeNode | null> {
  let tree: Id | undefined = root;
  let found: TreeNode | null = null;
  for (const name of namesOf(path)) {
    const nodes: TreeNode[] = tree === undefined ? [] : await source.readTree(tree, signal);
    const node = nodes.find((one) => one.name.equals(name));
    if (node === undefined) {
      throw new AgentError("path-missing", `The snapshot has no ${path}. "reconsync repository ls" shows what it has.`);
    }
    found = node;
    tree = node.subtree;
  }
  return found;
}
