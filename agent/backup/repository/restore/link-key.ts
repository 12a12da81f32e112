import { hashOf } from "../format/ids.ts";
import type { TreeNode } from "../format/tree.ts";

/**
 * What hard links of one file have in common, or null for a file with one name. Content belongs to it: a file that was replaced in the middle of a
 * backup may have left the same inode with two contents.
 */
export function linkKeyOf({ links = 1n, inode, deviceId = 0n, size = 0n, content = [] }: TreeNode): string | null {
  if (links < 2n || inode === undefined) return null;
  return `${deviceId}:${inode}:${size}:${hashOf(Buffer.from(content.join("")))}`;
}
