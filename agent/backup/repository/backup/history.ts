import { AgentError } from "../../../errors.ts";
import type { Id } from "../format/ids.ts";
import type { Repository } from "../repository.ts";
import { idsOf } from "./contents.ts";
import type { FileIndex } from "./file-index.ts";
import type { Folder, Previous } from "./folder.ts";
import { previousOf } from "./nodes.ts";
import { nestedFolders } from "./paths.ts";
import type { Problems } from "./problems.ts";

/** A snapshot that unchanged files may be taken over from. */
export interface ParentSnapshot {
  id: Id;
  tree: Id;
}

export interface HistoryOptions {
  repository: Repository;
  fileIndex: FileIndex | null;
  parent: ParentSnapshot | null;
  problems: Problems;
  signal: AbortSignal;
}

/** What is known of folders from before: by this host's file index, or by the trees of the parent snapshot. */
export class History {
  readonly #options: HistoryOptions;
  /** Told once: one damaged tree rarely comes alone. */
  #toldDamage = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  async previous(folder: Folder): Promise<Previous | null> {
    const { fileIndex, parent } = this.#options;
    const known = fileIndex?.folder(folder.source.root, folder.path) ?? null;
    if (known !== null || parent === null) return known;
    const tree = folder.parent === null ? await this.#topTree(parent, folder) : subtreeOf(folder.parent, folder);
    return tree === null ? null : this.#read(tree);
  }

  /** The tree of a source's folder, by the folders that it lies in. */
  async #topTree(parent: ParentSnapshot, top: Folder): Promise<Id | null> {
    let tree: Id | null = parent.tree;
    for (const { name } of nestedFolders(top.path.toString("utf8"))) {
      const above: Previous | null = tree === null ? null : await this.#read(tree);
      if (above === null) return null;
      tree = subtreeNamed(above, Buffer.from(name));
    }
    return tree;
  }

  async #read(tree: Id): Promise<Previous | null> {
    const { repository, problems, signal } = this.#options;
    try {
      return previousOf(tree, await repository.readTree(tree, signal));
    } catch (error) {
      // A parent that is damaged, or was removed, makes this backup slower, and no worse.
      if (!(error instanceof AgentError) || error.code !== "repository-damaged") throw error;
      if (!this.#toldDamage) problems.add("history", `tree ${tree}`, `${error.message} Files below it were read again.`);
      this.#toldDamage = true;
      return null;
    }
  }
}

function subtreeOf(parent: Folder, folder: Folder): Id | null {
  return parent.previous === null ? null : subtreeNamed(parent.previous, parent.listing.name(folder.entry));
}

function subtreeNamed({ listing, contents }: Previous, name: Buffer): Id | null {
  const entry = listing.find(name);
  if (entry < 0 || listing.type(entry) !== "dir") return null;
  return idsOf(contents.at(entry).ids)[0] ?? null;
}
