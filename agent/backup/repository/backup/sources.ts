import { type BigIntStats, lstatSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { AgentError } from "../../../errors.ts";
import { errorCode } from "../../error-code.ts";
import type { PathFilter } from "../../globs.ts";
import type { TreeNode } from "../format/tree.ts";
import { Folder, type SourceRun } from "./folder.ts";
import { type Listing, ListingBuilder } from "./listing.ts";
import { nodeOf } from "./nodes.ts";
import type { Owners } from "./owners.ts";
import { isWithin, nestedFolders } from "./paths.ts";
import type { TreePacker } from "./tree-packer.ts";

/** A file or folder to be backed up. */
export interface BackupSource {
  /** Absolute. */
  path: string;
  /** Absent: all of it. */
  filter?: PathFilter;
}

/** A source that is there. */
export interface OpenedSource {
  source: BackupSource;
  run: SourceRun;
  /** Its top folder; for a file, the folder that it lies in, with that one entry. */
  top: Folder;
}

/** @throws AgentError `source-missing`, `source-unreadable`, `source-is-link`, `sources-overlap` */
export function openSources(sources: readonly BackupSource[]): OpenedSource[] {
  for (const [at, { path }] of sources.entries()) {
    const other = sources.find((source, number) => number !== at && isWithin(path, source.path));
    if (other === undefined) continue;
    const text = `${path} lies within ${other.path}, which is backed up too. Name only one of them.`;
    throw new AgentError("sources-overlap", text);
  }
  return sources.map((source) => open(source));
}

function open(source: BackupSource): OpenedSource {
  const { path, filter } = source;
  const stats = statsOf(path);
  if (stats.isSymbolicLink()) {
    const text = `${path} is a symbolic link, and a backup keeps links as links. Name the folder it leads to.`;
    throw new AgentError("source-is-link", text);
  }
  const single = !stats.isDirectory();
  const run: SourceRun = { root: path, single, top: null, tree: null };
  const included = single || filter === undefined || filter.includes("");
  const top = new Folder(run, null, 0, Buffer.from(single ? dirname(path) : path), "", included);
  if (single) top.listing = listingOf(basename(path), stats);
  return { source, run, top };
}

function statsOf(path: string): BigIntStats {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new AgentError(
        "source-missing",
        `${path} does not exist, so it cannot be backed up. Correct the path, or mount the volume it lies on.`,
        { cause: error },
      );
    }
    const text = `${path} cannot be looked at (${code}). Give the account that runs ReconSync the right to read it.`;
    throw new AgentError("source-unreadable", text, { cause: error });
  }
}

/** A listing of one entry. */
export function listingOf(name: string, stats: BigIntStats): Listing {
  const builder = new ListingBuilder();
  builder.add(Buffer.from(name), stats);
  return builder.finish();
}

/** A level of folders above the sources. */
interface Level {
  /** Path on this host, and what is below: another level, or the raw id of a source's tree. */
  folders: Map<string, { path: string; below: Level | Buffer }>;
  /** Sources that are files. */
  files: TreeNode[];
}

/**
 * The tree of a whole snapshot: the sources, nested in the folders that they lie in, with what these look like on this host.
 * @param extra Nodes of the top level beside them.
 * @returns Its raw id.
 */
export function rootTree(opened: readonly OpenedSource[], extra: readonly TreeNode[], trees: TreePacker, owners: Owners): Buffer {
  const root: Level = { folders: new Map(), files: [...extra] };
  for (const { source, run, top } of opened) {
    const above = nestedFolders(source.path);
    const last = above.pop();
    if (!run.single && run.tree === null) throw new RangeError("A source has not come to its end");
    // The root of the file system: its tree is the whole snapshot's.
    if (last === undefined) return run.tree ?? Buffer.alloc(0);
    let level = root;
    for (const { name, path } of above) level = levelBelow(level, name, path);
    if (run.tree !== null) level.folders.set(last.name, { path: last.path, below: run.tree });
    const node = run.single ? nodeOf(top.listing, 0, top.content(0), owners) : null;
    if (node !== null) level.files.push(node);
  }
  return treeOf(root, trees, owners);
}

function levelBelow(level: Level, name: string, path: string): Level {
  const known = level.folders.get(name)?.below;
  if (known !== undefined && !Buffer.isBuffer(known)) return known;
  const below: Level = { folders: new Map(), files: [] };
  level.folders.set(name, { path, below });
  return below;
}

function treeOf(level: Level, trees: TreePacker, owners: Owners): Buffer {
  const nodes = [...level.files];
  for (const [name, { path, below }] of level.folders) {
    const ids = Buffer.isBuffer(below) ? below : treeOf(below, trees, owners);
    // A folder above may be a link on this host; in the snapshot it is a folder.
    const node = nodeOf(listingOf(name, statSync(path, { bigint: true })), 0, { size: 0, ids }, owners);
    if (node !== null) nodes.push(node);
  }
  return trees.add(nodes);
}
