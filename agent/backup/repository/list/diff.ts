import type { Id } from "../format/ids.ts";
import type { Snapshot } from "../format/snapshot.ts";
import type { TreeNode } from "../format/tree.ts";
import { joinBytes, type TreeSource, walkTree } from "./walk-tree.ts";

export interface Difference {
  /** From the snapshot's root, with a `/` at the start. Bytes that are not UTF-8 stand as U+FFFD. */
  path: string;
  bytes: Buffer;
  /** `changed`: its content, its type or its link. `metadata`: only mode, owner or time. */
  kind: "added" | "removed" | "changed" | "metadata";
  before?: TreeNode;
  after?: TreeNode;
}

/**
 * How `after` differs from `before`, in the order of paths. Folders that are the same tree are not looked into.
 * @throws CorruptError when a tree cannot be read
 */
export async function* diff(
  repository: TreeSource,
  before: Pick<Snapshot, "tree">,
  after: Pick<Snapshot, "tree">,
  signal?: AbortSignal,
): AsyncGenerator<Difference> {
  yield* diffTrees(repository, before.tree, after.tree, Buffer.alloc(0), signal);
}

async function* diffTrees(
  repository: TreeSource,
  before: Id,
  after: Id,
  folder: Buffer,
  signal: AbortSignal | undefined,
): AsyncGenerator<Difference> {
  if (before === after) return;
  signal?.throwIfAborted();
  const olds = await repository.readTree(before, signal);
  const news = await repository.readTree(after, signal);
  for (const [old, now] of pairs(olds, news)) {
    const node = (now ?? old) as TreeNode;
    const path = joinBytes(folder, node.name);
    if (old !== undefined && now !== undefined && old.type === now.type) {
      const kind = changeOf(old, now);
      if (kind !== null) yield difference(path, kind, old, now);
      if (old.subtree !== undefined && now.subtree !== undefined) yield* diffTrees(repository, old.subtree, now.subtree, path, signal);
      continue;
    }
    if (old !== undefined && now !== undefined) yield difference(path, "changed", old, now);
    else yield difference(path, now === undefined ? "removed" : "added", old, now);
    if (old?.subtree !== undefined) yield* all(repository, old.subtree, path, "removed", signal);
    if (now?.subtree !== undefined) yield* all(repository, now.subtree, path, "added", signal);
  }
}

async function* all(
  repository: TreeSource,
  tree: Id,
  prefix: Buffer,
  kind: "added" | "removed",
  signal: AbortSignal | undefined,
): AsyncGenerator<Difference> {
  for await (const { path, node } of walkTree(repository, tree, { prefix, signal })) {
    yield kind === "added" ? difference(path, kind, undefined, node) : difference(path, kind, node, undefined);
  }
}

/** Nodes of the same name side by side. Both lists are sorted by the bytes of their names. */
function* pairs(olds: readonly TreeNode[], news: readonly TreeNode[]): Generator<[TreeNode | undefined, TreeNode | undefined]> {
  let [left, right] = [0, 0];
  while (left < olds.length || right < news.length) {
    const [old, now] = [olds[left], news[right]];
    const order = old === undefined ? 1 : now === undefined ? -1 : old.name.compare(now.name);
    if (order <= 0) left += 1;
    if (order >= 0) right += 1;
    yield [order <= 0 ? old : undefined, order >= 0 ? now : undefined];
  }
}

function changeOf(old: TreeNode, now: TreeNode): "changed" | "metadata" | null {
  if (old.type === "file" && !sameContent(old, now)) return "changed";
  if (old.type === "symlink" && !(old.linkTarget ?? EMPTY).equals(now.linkTarget ?? EMPTY)) return "changed";
  if (old.device !== now.device) return "changed";
  const same = old.mode === now.mode && old.uid === now.uid && old.gid === now.gid && old.mtimeNs === now.mtimeNs;
  return same ? null : "metadata";
}

const EMPTY = Buffer.alloc(0);

function sameContent(old: TreeNode, now: TreeNode): boolean {
  const [left, right] = [old.content ?? [], now.content ?? []];
  return left.length === right.length && left.every((id, n) => id === right[n]);
}

function difference(bytes: Buffer, kind: Difference["kind"], before: TreeNode | undefined, after: TreeNode | undefined): Difference {
  return { path: `/${bytes.toString()}`, bytes, kind, before, after };
}

export interface DifferenceTotals {
  added: number;
  removed: number;
  changed: number;
  metadata: number;
  /** Bytes of files that are new or have new content, and of those that are gone or had other content. */
  bytesAdded: number;
  bytesRemoved: number;
}

/** Counts differences as they come. */
export function countDifference(totals: DifferenceTotals, { kind, before, after }: Difference): void {
  totals[kind] += 1;
  if (kind === "metadata") return;
  totals.bytesAdded += Number(after?.size ?? 0n);
  totals.bytesRemoved += Number(before?.size ?? 0n);
}

export function noDifferences(): DifferenceTotals {
  return { added: 0, removed: 0, changed: 0, metadata: 0, bytesAdded: 0, bytesRemoved: 0 };
}
