import { atOnce } from "../at-once.ts";
import { BlobReader } from "../blob-reader.ts";
import { CorruptError } from "../format/corrupt.ts";
import type { Id } from "../format/ids.ts";
import { type BlobType, packBytes } from "../format/pack.ts";
import { decodeTree, type TreeNode } from "../format/tree.ts";
import { missingIsDamage } from "../missing.ts";
import type { Repository } from "../repository.ts";

export interface SnapshotCheck {
  /** What is wrong, in words; the first of it. Empty: whoever has the key can restore it, as far as its structure tells. */
  problems: string[];
  problemCount: number;
  /** Folders read back from the store, and packs and index files that were looked for there. */
  trees: number;
  packs: number;
}

const PROBLEMS_MAX = 20;
/** With more packs than this, one listing of all is cheaper than a question for each: S3 and R2 list 1,000 at a time. */
const LISTED_FROM = 100;
/** Deeper than any system's folders, see walk-tree.ts. */
const DEPTH_MAX = 2048;

/**
 * Looks at the structure of a snapshot that was just made: it, and each folder in it that its parent did not have, is read back from the store; each blob
 * that is new in it is in the index, and its pack and an index file that names it are in the store, the pack with the right size. What the parent has
 * too was looked at when that was made, and is again each day. So a backup that changed little costs little. `repository` is the one that made it.
 * @throws what the store throws, but for missing files
 */
export async function verifySnapshot(
  repository: Repository,
  id: Id,
  {
    signal,
    doubted = new Set(),
  }: { signal: AbortSignal /** Snapshots that did not pass: nothing is taken for granted of one. */; doubted?: ReadonlySet<Id> },
): Promise<SnapshotCheck> {
  const check = new Check(repository, signal, doubted);
  await check.run(id);
  return { problems: check.problems, problemCount: check.problemCount, trees: check.trees, packs: check.packs.size };
}

class Check {
  readonly problems: string[] = [];
  problemCount = 0;
  trees = 0;
  readonly packs = new Set<Id>();
  readonly #repository: Repository;
  readonly #reader: BlobReader;
  readonly #signal: AbortSignal;
  readonly #doubted: ReadonlySet<Id>;
  /** Pairs of trees that were compared already: the same folder may stand at many places. */
  readonly #seen = new Set<string>();
  readonly #blobs = new Map<string, { id: Id; type: BlobType }>();

  constructor(repository: Repository, signal: AbortSignal, doubted: ReadonlySet<Id>) {
    this.#repository = repository;
    this.#doubted = doubted;
    // Its own: what this run has in memory is not what lies in the store.
    this.#reader = new BlobReader(repository.store, repository.cipher, repository.index);
    this.#signal = signal;
  }

  async run(id: Id): Promise<void> {
    const snapshot = await this.#damageIsProblem(() => this.#repository.readSnapshot(id, this.#signal));
    if (snapshot === null) return;
    const parent = snapshot.parent === undefined || this.#doubted.has(snapshot.parent) ? null : await this.#oldTree(snapshot.parent);
    await this.#compare(snapshot.tree, parent, 0);
    await this.#lookForPacks();
  }

  /** A parent that cannot be read any more is none: then all is new. */
  async #oldTree(parent: Id): Promise<Id | null> {
    try {
      return (await this.#repository.readSnapshot(parent, this.#signal)).tree;
    } catch (error) {
      if (error instanceof CorruptError) return null;
      throw error;
    }
  }

  async #compare(tree: Id, old: Id | null, depth: number): Promise<void> {
    if (tree === old || depth > DEPTH_MAX) return;
    this.#signal.throwIfAborted();
    const pair = `${tree} ${old ?? ""}`;
    if (this.#seen.has(pair)) return;
    this.#seen.add(pair);
    this.#needs(tree, "tree");
    const nodes = await this.#damageIsProblem(async () => decodeTree(await this.#reader.read(tree, "tree", this.#signal), `tree ${tree}`));
    if (nodes === null) return;
    this.trees += 1;
    const before = await this.#oldNodes(old);
    for (const { name, content = [], subtree } of nodes) {
      const was = before.get(name.toString("latin1"));
      if (subtree !== undefined) await this.#compare(subtree, was?.subtree ?? null, depth + 1);
      const known = new Set(was?.content ?? []);
      for (const blob of content) if (!known.has(blob)) this.#needs(blob, "data");
    }
  }

  async #oldNodes(old: Id | null): Promise<Map<string, TreeNode>> {
    if (old === null) return new Map();
    try {
      const nodes = await this.#repository.readTree(old, this.#signal);
      return new Map(nodes.map((node) => [node.name.toString("latin1"), node]));
    } catch (error) {
      if (error instanceof CorruptError) return new Map();
      throw error;
    }
  }

  #needs(id: Id, type: BlobType): void {
    this.#blobs.set(`${type} ${id}`, { id, type });
  }

  /** Each new blob has a pack that is there whole, and that an index file in the store names. */
  async #lookForPacks(): Promise<void> {
    const { index, store } = this.#repository;
    const first = new Map<Id, { id: Id; type: BlobType }[]>();
    for (const blob of this.#blobs.values()) {
      const location = index.find(blob.id, blob.type);
      if (location === null) this.#problem(`${blob.type} blob ${blob.id} is in no index`);
      else first.set(location.pack, [...(first.get(location.pack) ?? []), blob]);
    }
    for (const pack of first.keys()) this.packs.add(pack);
    const names = new Map<Id, readonly Id[]>();
    for (const { id, indexes } of index.packs()) if (first.has(id)) names.set(id, indexes);
    const indexFiles = new Map<Id, Promise<boolean>>();
    const hasIndexFile = (name: Id) => {
      const known = indexFiles.get(name) ?? store.stat("index", name, this.#signal).then((found) => found !== null);
      indexFiles.set(name, known);
      return known;
    };
    const listed = first.size > LISTED_FROM ? await this.#sizes() : null;
    await atOnce([...first.keys()], Math.max(1, store.parallel), async (pack) => {
      const found = listed === null ? ((await store.stat("data", pack, this.#signal))?.bytes ?? null) : (listed.get(pack) ?? null);
      const expected = packBytes(index.blobsOf(pack));
      if (found === null) this.#problem(`pack ${pack} is missing in the store`);
      else if (found !== expected) this.#problem(`pack ${pack} has ${found} bytes in the store instead of ${expected}`);
      const named = await Promise.all((names.get(pack) ?? []).map(hasIndexFile));
      if (!named.includes(true)) this.#problem(`no index file in the store names pack ${pack}`);
    });
  }

  async #sizes(): Promise<Map<Id, number>> {
    const sizes = new Map<Id, number>();
    for await (const { name, bytes } of this.#repository.store.list("data", this.#signal)) sizes.set(name, bytes);
    return sizes;
  }

  async #damageIsProblem<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await missingIsDamage("the snapshot", work());
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
      this.#problem(`${error.what}: ${error.wrong}`);
      return null;
    }
  }

  #problem(words: string): void {
    this.problemCount += 1;
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(words);
  }
}
