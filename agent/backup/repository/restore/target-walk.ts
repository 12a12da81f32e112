import type { PathFilter } from "../../globs.ts";
import type { CorruptError } from "../format/corrupt.ts";
import type { Id } from "../format/ids.ts";
import type { TreeNode } from "../format/tree.ts";
import { type TreeSource, type WalkedNode, walkTree } from "../list/walk-tree.ts";
import { type FsPath, joinPath, type TargetName, targetNames } from "./names.ts";

/** What is restored, and where to. */
export interface TargetOptions {
  /** Absolute. */
  target: string;
  tree: Id;
  /** Path of that tree in the snapshot. */
  prefix: Buffer;
  /** Absent: everything. */
  filter?: PathFilter;
  platform: NodeJS.Platform;
  signal: AbortSignal;
}

/** A node of the snapshot and its place in the target. */
export interface TargetEntry {
  path: Buffer;
  node: TreeNode;
  /** In its folder in the target. */
  name: FsPath;
  location: FsPath;
  /** It is to be restored. Otherwise it is a folder that may hold something that is. */
  included: boolean;
  /** True when a folder comes the second time, after all that is in it. It is the same object then. */
  leaving: boolean;
  /** The folder that it is in; none in the target itself. */
  parent: TargetEntry | null;
}

export interface TargetVisitor {
  leave?: boolean;
  onDamaged: (path: Buffer, error: CorruptError) => void;
  /** A name that is another one in the target, or none: `location` tells which. */
  onName?: (path: Buffer, note: string) => void;
}

/** Walks over what is restored. Each walk over the same trees gives the same places. */
export async function* walkTarget(source: TreeSource, options: TargetOptions, visitor: TargetVisitor): AsyncGenerator<TargetEntry> {
  const { target, tree, prefix, filter, platform, signal } = options;
  const names = new WeakMap<readonly TreeNode[], TargetName[]>();
  const entries = new WeakMap<WalkedNode, TargetEntry>();
  const namesIn = (nodes: readonly TreeNode[]): TargetName[] => {
    const known = names.get(nodes) ?? bytesToNames(nodes, platform);
    names.set(nodes, known);
    return known;
  };
  const descend = (walked: WalkedNode): boolean => {
    const entry = entries.get(walked);
    if (entry === undefined) return false;
    return entry.included || filter?.mayContain(entry.path.toString()) !== false;
  };
  const { leave, onDamaged, onName } = visitor;
  for await (const walked of walkTree(source, tree, { prefix, signal, descend, leave, onDamaged })) {
    const known = entries.get(walked);
    if (walked.leaving) {
      if (known === undefined) continue;
      known.leaving = true;
      yield known;
      continue;
    }
    const parent = walked.parent === null ? null : (entries.get(walked.parent) ?? null);
    const included = filter === undefined || parent?.included === true || filter.includes(walked.path.toString());
    if (!included && walked.node.type !== "dir") continue;
    const { name, note } = namesIn(walked.siblings)[walked.position] as TargetName;
    if (note !== undefined && included) onName?.(walked.path, note);
    if (name === null) continue;
    const location = joinPath(parent?.location ?? target, name);
    const entry: TargetEntry = { path: walked.path, node: walked.node, name, location, included, leaving: false, parent };
    entries.set(walked, entry);
    yield entry;
  }
}

function bytesToNames(nodes: readonly TreeNode[], platform: NodeJS.Platform): TargetName[] {
  return targetNames(
    nodes.map(({ name }) => name),
    platform,
  );
}
