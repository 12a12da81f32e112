import { ID_BYTES } from "../format/ids.ts";
import type { TreeNode } from "../format/tree.ts";
import { Contents, type EntryContent, encodeContents, idsOf, NOTHING, rawIds } from "./contents.ts";
import type { Previous } from "./folder.ts";
import { type Listing, ListingBuilder, modeOf } from "./listing.ts";
import type { Owners } from "./owners.ts";

const PERMISSION_BITS = 0o7777;
/** Windows has no permission bits: what Node makes up there says nothing, so a backup gets the usual ones. */
const WINDOWS_MODE = { file: 0o644, dir: 0o755 } as const;

/** The node of an entry as restic itself would write it, or null for one that is not in the backup. */
export function nodeOf(
  listing: Listing,
  entry: number,
  content: EntryContent,
  owners: Owners,
  platform: NodeJS.Platform = process.platform,
): TreeNode | null {
  const type = listing.type(entry);
  if (type === null || content.leftOut) return null;
  const [uid, gid] = [listing.uid(entry), listing.gid(entry)];
  const [user, group] = [owners.user(uid), owners.group(gid)];
  const mtimeNs = listing.mtimeNs(entry);
  return {
    name: Buffer.from(listing.name(entry)),
    type,
    mode: platform === "win32" ? (type === "dir" ? WINDOWS_MODE.dir : WINDOWS_MODE.file) : listing.mode(entry) & PERMISSION_BITS,
    mtimeNs,
    // As restic does without --with-atime: reading a file would change its tree each time.
    atimeNs: mtimeNs,
    ctimeNs: listing.ctimeNs(entry),
    uid,
    gid,
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
    inode: listing.inode(entry),
    deviceId: listing.device(entry),
    ...(type === "file" && { size: BigInt(content.size), content: idsOf(content.ids) }),
    ...(type === "dir" && { subtree: idsOf(content.ids)[0] }),
    ...(type !== "dir" && { links: BigInt(listing.links(entry)) }),
    ...(type === "symlink" && { linkTarget: content.target ?? Buffer.alloc(0) }),
    ...((type === "dev" || type === "chardev") && { device: listing.deviceNumber(entry) }),
  };
}

/** The nodes of a folder whose entries have all come to an end. */
export function nodesOf(listing: Listing, contents: readonly EntryContent[], owners: Owners): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (const [entry, content] of contents.entries()) {
    const node = nodeOf(listing, entry, content, owners);
    if (node !== null) nodes.push(node);
  }
  return nodes;
}

/** What a tree of an earlier snapshot knows of a folder, in the shape that the file index has it in. */
export function previousOf(tree: string, nodes: readonly TreeNode[]): Previous {
  const builder = new ListingBuilder();
  const contents: EntryContent[] = [];
  const sorted = [...nodes].sort((a, b) => a.name.compare(b.name));
  for (const node of sorted) {
    builder.add(node.name, {
      mode: BigInt(modeOf(node.type, node.mode)),
      uid: BigInt(node.uid),
      gid: BigInt(node.gid),
      nlink: node.links ?? 1n,
      size: node.size ?? 0n,
      mtimeNs: node.mtimeNs,
      ctimeNs: node.ctimeNs,
      ino: node.inode ?? 0n,
      dev: node.deviceId ?? 0n,
      rdev: node.device ?? 0n,
    });
    contents.push(contentOf(node));
  }
  const listing = builder.finish();
  return { listing, contents: new Contents(encodeContents(contents), listing.count), tree: rawIds([tree]) };
}

function contentOf(node: TreeNode): EntryContent {
  if (node.linkTarget !== undefined) return { ...NOTHING, target: node.linkTarget };
  const ids = node.subtree === undefined ? (node.content ?? []) : [node.subtree];
  return { size: Number(node.size ?? 0n), ids: rawIds(ids.filter((id) => id.length === ID_BYTES * 2)) };
}
