import { CorruptError } from "../format/corrupt.ts";
import type { Id } from "../format/ids.ts";
import type { TreeNode } from "../format/tree.ts";

/** Folders deeper than this are no folders of a game: no system can make their path. */
const DEPTH_MAX = 2048;

/** What a walk needs of a repository. */
export interface TreeSource {
  readTree(id: Id, signal?: AbortSignal): Promise<TreeNode[]>;
}

export interface WalkedNode {
  /** Raw bytes with `/` between names, without one at the start. */
  path: Buffer;
  node: TreeNode;
  /** All nodes of its folder, and its place among them. */
  siblings: readonly TreeNode[];
  position: number;
  /** The folder that it is in; none at the root of the walk. */
  parent: WalkedNode | null;
  /** True when a folder comes the second time, after all that is in it. It is the same object then. */
  leaving: boolean;
}

export interface TreeWalkOptions {
  /** Path that goes before all others, without `/` at its end. */
  prefix?: Buffer;
  signal?: AbortSignal;
  /** False: what is in this folder is not looked at. */
  descend?: (entry: WalkedNode) => boolean;
  /** Folders come a second time after what is in them. */
  leave?: boolean;
  /** A folder whose tree cannot be read. Absent: that is an error. */
  onDamaged?: (path: Buffer, error: CorruptError) => void;
}

interface Frame {
  path: Buffer;
  nodes: TreeNode[];
  next: number;
  /** The folder itself; none for the root. */
  entry: WalkedNode | null;
}

/** Every node below a tree, folders before what is in them, in the order of their names. Holds one chain of folders at a time. */
export async function* walkTree(source: TreeSource, root: Id, options: TreeWalkOptions = {}): AsyncGenerator<WalkedNode> {
  const { prefix = Buffer.alloc(0), signal, descend, leave = false } = options;
  const frames: Frame[] = [];
  await enter(source, root, prefix, null, frames, options);
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const node = frame.nodes[frame.next++];
    if (node === undefined) {
      frames.pop();
      if (leave && frame.entry !== null) yield left(frame.entry);
      continue;
    }
    const place = { siblings: frame.nodes, position: frame.next - 1, parent: frame.entry };
    const entry: WalkedNode = { path: joinBytes(frame.path, node.name), node, ...place, leaving: false };
    yield entry;
    if (node.type !== "dir" || node.subtree === undefined || descend?.(entry) === false) continue;
    signal?.throwIfAborted();
    const entered = await enter(source, node.subtree, entry.path, entry, frames, options);
    if (!entered && leave) yield left(entry);
  }
}

function left(entry: WalkedNode): WalkedNode {
  entry.leaving = true;
  return entry;
}

async function enter(
  source: TreeSource,
  tree: Id,
  path: Buffer,
  entry: WalkedNode | null,
  frames: Frame[],
  { signal, onDamaged }: TreeWalkOptions,
): Promise<boolean> {
  try {
    if (frames.length >= DEPTH_MAX) throw new CorruptError(`tree ${tree}`, `it lies in more than ${DEPTH_MAX} folders`);
    frames.push({ path, nodes: await source.readTree(tree, signal), next: 0, entry });
    return true;
  } catch (error) {
    if (!(error instanceof CorruptError) || onDamaged === undefined) throw error;
    onDamaged(path, error);
    return false;
  }
}

const SLASH = Buffer.from("/");

export function joinBytes(folder: Buffer, name: Buffer): Buffer {
  return folder.length === 0 ? name : Buffer.concat([folder, SLASH, name]);
}
