import { heap } from "../../heap.ts";
import type { TreeNode } from "../format/tree.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import type { TreeSource } from "../list/walk-tree.ts";
import { type FileMeta, metaOf } from "./file-meta.ts";
import { linkKeyOf } from "./link-key.ts";
import { holesOf } from "./measure.ts";
import type { RestoreProblems } from "./problems.ts";
import { Round } from "./round.ts";
import { type TargetEntry, type TargetOptions, walkTarget } from "./target-walk.ts";
import { FileWork, type FolderWork, type LinkedFile, NamedWork } from "./work.ts";

/** More files with several names than this are restored as files of their own, since each is remembered until the end. */
const LINKED_MAX = 200_000;

export interface PlannerOptions {
  source: TreeSource;
  index: BlobIndex;
  /** The store is not on this host. */
  far: boolean;
  target: TargetOptions;
  /** Owners are restored too. */
  owners: boolean;
  problems: RestoreProblems;
  /** A round ends when it has so many files, folders and links: twice as many as the one before. Absent: as many as may be in memory. */
  roundItems?: { first: number; most: number };
  /** Tells the names for the time being of this run from those of others. */
  run: string;
}

/** Walks over a snapshot and plans what is to be made, in rounds. It writes nothing. */
export class RestorePlanner {
  readonly #options: PlannerOptions;
  /** Folders of the chain that the walk is in. */
  readonly #folders = new Map<TargetEntry, FolderWork>();
  readonly #linked = new Map<string, LinkedFile>();
  readonly #root: FolderWork;
  #owner: FileMeta["owner"];
  #files = 0;

  constructor(options: PlannerOptions) {
    this.#options = options;
    this.#root = { path: options.target.prefix, location: options.target.target, parent: null, state: "made" };
  }

  async *rounds(): AsyncGenerator<Round> {
    const { source, index, far, target, problems, roundItems } = this.#options;
    let items = roundItems?.first;
    let round = new Round(index, far, items);
    const walk = walkTarget(source, target, {
      leave: true,
      onDamaged: (path, error) => problems.add(path, "damaged", `what is in this folder is lost: ${error.message}`),
      onName: (path, note) => problems.add(path, "name", note),
    });
    for await (const entry of walk) {
      if (entry.leaving) this.#leave(entry, round);
      else if (entry.included) this.#take(entry, round);
      if (!round.full) continue;
      yield round;
      if (roundItems !== undefined && items !== undefined) items = Math.min(items * 2, roundItems.most);
      round = new Round(index, far, items);
    }
    yield round;
  }

  #take(entry: TargetEntry, round: Round): void {
    const { problems } = this.#options;
    const { node, path, name, parent } = entry;
    const folder = this.#folderFor(parent, round);
    if (node.type === "file") {
      this.#plan(entry, folder, round);
    } else if (node.type === "dir") {
      this.#folderFor(entry, round);
    } else if (node.type === "symlink") {
      const at = new NamedWork(folder, name, node.name);
      round.ends.push({ kind: "symlink", at, to: node.linkTarget ?? Buffer.alloc(0), meta: this.#metaOf(node) });
    } else {
      problems.add(path, "special", `a ${node.type} is not made`);
    }
  }

  /** A folder, planned with those that it is in when it is first needed. */
  #folderFor(entry: TargetEntry | null, round: Round): FolderWork {
    if (entry === null) return this.#root;
    const known = this.#folders.get(entry);
    if (known !== undefined) return known;
    const parent = this.#folderFor(entry.parent, round);
    const folder: FolderWork = { path: entry.path, location: entry.location, parent, state: "planned" };
    this.#folders.set(entry, folder);
    round.folders.push(folder);
    return folder;
  }

  #leave(entry: TargetEntry, round: Round): void {
    const folder = this.#folders.get(entry);
    if (folder === undefined) return;
    this.#folders.delete(entry);
    round.ends.push({ kind: "folder", folder, meta: this.#metaOf(entry.node) });
  }

  #plan({ node, path, name }: TargetEntry, folder: FolderWork, round: Round): void {
    const { problems, run } = this.#options;
    const key = linkKeyOf(node);
    const first = key === null ? undefined : this.#linked.get(key);
    if (first !== undefined) {
      round.ends.push({ kind: "link", at: new NamedWork(folder, name, node.name), first });
      return;
    }
    const linked = key === null || this.#linked.size >= LINKED_MAX ? undefined : { place: null, damaged: false };
    if (key !== null && linked !== undefined) this.#linked.set(key, linked);
    this.#files += 1;
    heap.filesSeen(this.#files);
    const file = new FileWork(
      { folder, name, original: node.name, run, number: this.#files },
      { size: Number(node.size ?? 0n), holes: holesOf(node.content), meta: this.#metaOf(node), linked },
    );
    const { planned, known } = round.add(file, node.content ?? []);
    if (known && planned !== file.size) {
      problems.add(path, "size", `the snapshot says ${file.size} bytes, its content has ${planned}`);
      file.size = planned;
    }
    if (node.extendedAttributes !== undefined && node.extendedAttributes.length > 0) {
      problems.add(path, "metadata", "its extended attributes are not restored");
    }
  }

  /** Most files of a world have the same owner: one object for all in a row. */
  #metaOf(node: TreeNode): FileMeta {
    if (!this.#options.owners) return metaOf(node, undefined);
    const { uid, gid } = node;
    if (this.#owner?.uid !== uid || this.#owner.gid !== gid) this.#owner = { uid, gid };
    return metaOf(node, this.#owner);
  }
}
