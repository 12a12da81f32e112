import type { Id } from "../format/ids.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { type TreeSource, type WalkedNode, walkTree } from "../list/walk-tree.ts";
import { addHit, type VerifyProblem } from "./report.ts";

/** Answers the problems that take a blob away, or nothing when it can be had. */
export type LostBy = (id: Id, type: "data" | "tree") => readonly VerifyProblem[];

/**
 * Finds the files and folders of all snapshots that lost blobs belong to. Folders that turned out whole are not looked into again, in whatever
 * snapshot they come.
 */
export async function attribute(source: TreeSource, snapshots: readonly Snapshot[], lostBy: LostBy, signal: AbortSignal): Promise<void> {
  const whole = new Set<Id>();
  for (const { id: snapshot, tree } of snapshots) {
    const rootLoss = lostBy(tree, "tree");
    for (const problem of rootLoss) addHit(problem, { snapshot, path: "/" });
    if (rootLoss.length > 0 || whole.has(tree)) continue;
    const hit = new Set<WalkedNode>();
    let any = false;
    const descend = ({ node: { subtree } }: WalkedNode) => subtree !== undefined && !whole.has(subtree);
    for await (const entry of walkTree(source, tree, { signal, descend, leave: true, onDamaged: () => undefined })) {
      const { node, path } = entry;
      if (entry.leaving) {
        if (!hit.delete(entry) && node.subtree !== undefined) whole.add(node.subtree);
        continue;
      }
      const problems = problemsOf(node.content ?? [], node.subtree, lostBy);
      if (problems.size === 0) continue;
      any = true;
      for (let at: WalkedNode | null = entry; at !== null; at = at.parent) if (at.node.type === "dir") hit.add(at);
      for (const problem of problems) addHit(problem, { snapshot, path: `/${path.toString()}${node.type === "dir" ? "/" : ""}` });
    }
    if (!any) whole.add(tree);
  }
}

function problemsOf(content: readonly Id[], subtree: Id | undefined, lostBy: LostBy): Set<VerifyProblem> {
  const problems = new Set<VerifyProblem>();
  for (const id of content) for (const problem of lostBy(id, "data")) problems.add(problem);
  if (subtree !== undefined) for (const problem of lostBy(subtree, "tree")) problems.add(problem);
  return problems;
}
