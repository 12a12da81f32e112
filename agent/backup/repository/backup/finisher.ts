import { ID_BYTES } from "../format/ids.ts";
import { type EntryContent, encodeContents, LEFT_OUT_ENTRY } from "./contents.ts";
import type { FileIndex } from "./file-index.ts";
import type { Folder } from "./folder.ts";
import { Listing } from "./listing.ts";
import { nodesOf } from "./nodes.ts";
import type { Owners } from "./owners.ts";
import { childPath } from "./paths.ts";
import type { TreePacker } from "./tree-packer.ts";

/** Stands for the tree of a folder that is not in the backup: no tree has this id. */
const NO_TREE = Buffer.alloc(ID_BYTES);

export interface FinisherOptions {
  trees: TreePacker;
  fileIndex: FileIndex | null;
  owners: Owners;
}

/** Finishes folders from the bottom up: makes their trees, and writes down what the next backup has to know. */
export class Finisher {
  readonly #options: FinisherOptions;

  constructor(options: FinisherOptions) {
    this.#options = options;
  }

  /** One thing less to wait for; a folder that waits for nothing is finished, and its parent waits for one thing less. */
  settle(folder: Folder): void {
    let current: Folder | null = folder;
    while (current !== null) {
      current.pending -= 1;
      if (current.pending > 0) return;
      this.#finish(current);
      current = current.parent;
    }
  }

  #finish(folder: Folder): void {
    const { trees, owners } = this.#options;
    const { source } = folder;
    if (folder.untouched && folder.previous !== null) {
      this.#hand(folder, folder.previous.tree);
      return;
    }
    const contents = folder.contents();
    if (source.single) {
      this.#save(folder, contents, NO_TREE);
      source.top = folder;
      return;
    }
    const nodes = nodesOf(folder.listing, contents, owners);
    // Only looked into for what could be below it, or gone since.
    const leftOut = folder.parent !== null && (folder.vanished || (nodes.length === 0 && !folder.included));
    const tree = leftOut ? NO_TREE : trees.add(nodes);
    this.#save(folder, contents, tree);
    this.#hand(folder, leftOut ? null : tree);
  }

  /** Tells the parent the tree of a folder; null when the folder is not in the backup. */
  #hand(folder: Folder, tree: Buffer | null): void {
    const { parent, entry, source } = folder;
    if (parent === null) {
      source.top = folder;
      source.tree = tree;
      return;
    }
    const before = parent.previousContent(entry);
    const same = tree === null ? before?.leftOut === true : before?.ids.equals(tree) === true;
    if (!same) parent.untouched = false;
    parent.setContent(entry, tree === null ? LEFT_OUT_ENTRY : { size: 0, ids: tree });
  }

  #save({ path, source, listing, previous, distrusted }: Folder, contents: readonly EntryContent[], tree: Buffer): void {
    const { fileIndex } = this.#options;
    if (fileIndex === null) return;
    fileIndex.saveFolder({ root: source.root, path, listing: trusted(listing, distrusted), contents: encodeContents(contents), tree });
    for (let entry = 0; entry < (previous?.listing.count ?? 0); entry += 1) {
      if (previous?.listing.type(entry) !== "dir") continue;
      const name = previous.listing.name(entry);
      const now = listing.find(name);
      if (now < 0 || listing.type(now) !== "dir") fileIndex.removeFolder(source.root, childPath(path, name));
    }
  }
}

/** The bytes of a listing in which the next backup finds nothing of the distrusted entries as it was. */
function trusted(listing: Listing, distrusted: ReadonlySet<number>): Buffer {
  if (distrusted.size === 0) return listing.bytes;
  const copy = new Listing(Buffer.from(listing.bytes));
  for (const entry of distrusted) copy.forget(entry);
  return copy.bytes;
}
