import { defaultThreads, WorkerPool } from "../../workers/pool.ts";
import { atOnce } from "../at-once.ts";
import { BlobReader } from "../blob-reader.ts";
import { CorruptError } from "../format/corrupt.ts";
import type { Id } from "../format/ids.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { packBytes } from "../format/pack.ts";
import { decodeTree } from "../format/tree.ts";
import { BlobIndex } from "../index/blob-index.ts";
import type { EntryBits } from "../index/entry-bits.ts";
import { loadIndexFiles } from "../index/load-index.ts";
import { markReachable } from "../list/reachable.ts";
import { type LockedWork, withLock } from "../locks/with-lock.ts";
import type { Repository } from "../repository.ts";
import { changeIndexFiles, planIndexFiles } from "./index-files.ts";
import { MAX_UNUSED_SHARE, type PackUse, type PrunePlan, planPrune, sum } from "./plan.ts";
import { repack } from "./repack.ts";

export interface PruneProgress {
  phase: "looking" | "repacking" | "removing";
  done: number;
  total?: number;
}

export interface PruneOptions extends LockedWork {
  /** Only tell what would be done. */
  dryRun?: boolean;
  /** Bytes that nobody needs may stay up to this share (0 to 1) of the repository. Default 0.05, as restic's. */
  maxUnusedShare?: number;
  /** No more is rewritten in one run, in bytes. */
  maxRepackBytes?: number;
  threads?: number;
  report?: (progress: PruneProgress) => void;
}

/** Bytes as stored, without the headers of packs. */
export interface PruneReport {
  dryRun: boolean;
  packsKept: number;
  packsRepacked: number;
  packsRemoved: number;
  /** Removed packs that no index file named: left by runs that were killed. */
  strayPacks: number;
  packsNew: number;
  bytesRepacked: number;
  /** Bytes of all packs that went, less those of new ones. */
  bytesFreed: number;
  bytesUsed: number;
  /** What nobody needs and stays nevertheless. */
  bytesUnused: number;
  indexesRemoved: number;
  indexesNew: number;
  /** Milliseconds. */
  ms: number;
}

/**
 * Removes what no snapshot needs. It stops before anything is removed when a snapshot, an index file, a tree or a needed pack is missing or damaged. Each step leaves
 * a whole repository: new packs, new index files, then old index files go, then old packs. Open the repository anew afterwards: its index still names what is gone.
 * @throws AgentError `repository-locked`, `repository-damaged`, `lock-lost`; what the store throws
 */
export async function prune(repository: Repository, options: PruneOptions): Promise<PruneReport> {
  return withLock(repository, "exclusive", options, (signal) => new Pruning(repository, { ...options, signal }).run());
}

class Pruning {
  readonly #repository: Repository;
  readonly #options: PruneOptions;
  readonly #index = new BlobIndex();
  /** Bytes of each pack in the store. */
  readonly #stored = new Map<Id, number>();

  constructor(repository: Repository, options: PruneOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  async run(): Promise<PruneReport> {
    const started = performance.now();
    const { dryRun = false, maxUnusedShare = MAX_UNUSED_SHARE, maxRepackBytes = Number.POSITIVE_INFINITY, report, signal } = this.#options;
    const { store, cipher } = this.#repository;
    report?.({ phase: "looking", done: 0 });
    // Without what this host keeps, and without going on when something is damaged: what is not seen would be removed.
    const indexNames = new Set<Id>();
    await loadIndexFiles({ store, cipher, index: this.#index }, indexNames, signal);
    for await (const { name, bytes } of store.list("data", signal)) this.#stored.set(name, bytes);
    const used = await this.#mark();
    this.#preferStored(used);
    const plan = planPrune(this.#usage(used), { maxUnusedShare, maxRepackBytes });
    const gone = new Set([...plan.remove, ...plan.repack].map(({ id }) => id));
    for (const { id } of this.#index.packs()) if (!this.#stored.has(id)) gone.add(id);
    const stray = [...this.#stored.keys()].filter((id) => !this.#index.hasPack(id));
    const indexPlan = planIndexFiles(this.#index, indexNames, gone);

    let fresh: IndexedPack[] = [];
    let indexesNew = 0;
    if (!dryRun) {
      fresh = await this.#repack(plan, used);
      indexesNew = await changeIndexFiles(this.#repository, this.#index, indexPlan, fresh, signal);
      await this.#remove([...gone].filter((id) => this.#stored.has(id)).concat(stray));
    }
    const freed = sum(gone, (id) => this.#stored.get(id) ?? 0) + sum(stray, (id) => this.#stored.get(id) ?? 0);
    const rewritten = sum(plan.repack, ({ usedBytes }) => usedBytes);
    return {
      dryRun,
      packsKept: plan.keep.length,
      packsRepacked: plan.repack.length,
      packsRemoved: plan.remove.length,
      strayPacks: stray.length,
      packsNew: fresh.length,
      bytesRepacked: rewritten,
      bytesFreed: freed - (dryRun ? rewritten : sum(fresh, ({ blobs }) => packBytes(blobs))),
      bytesUsed: sum([...plan.keep, ...plan.repack], ({ usedBytes }) => usedBytes),
      bytesUnused: sum(plan.keep, ({ unusedBytes }) => unusedBytes),
      indexesRemoved: indexPlan.remove.length,
      indexesNew,
      ms: Math.round(performance.now() - started),
    };
  }

  async #mark(): Promise<EntryBits> {
    const { store, cipher } = this.#repository;
    const { signal, report } = this.#options;
    const roots: Id[] = [];
    const names: Id[] = [];
    for await (const { name } of store.list("snapshots", signal)) names.push(name);
    await atOnce(names, store.parallel, async (name) => {
      roots.push((await this.#repository.readSnapshot(name, signal)).tree);
    });
    const reader = new BlobReader(store, cipher, this.#index);
    const source = { readTree: async (id: Id) => decodeTree(await reader.read(id, "tree", signal), `tree ${id}`) };
    return markReachable(source, this.#index, roots, {
      signal,
      onMissing: (id, type) => {
        throw new CorruptError(`${type} blob ${id}`, "no index file names it");
      },
      onDamaged: (_, error) => {
        throw error;
      },
      onTree: (done) => report?.({ phase: "looking", done }),
    });
  }

  /** A needed blob in a pack that is missing counts in another pack that has it. */
  #preferStored(used: EntryBits): void {
    for (const { id } of this.#index.packs()) {
      if (this.#stored.has(id)) continue;
      for (const entry of this.#index.entriesIn(id)) {
        if (!used.has(entry)) continue;
        const { id: blob, type } = this.#index.blobOf(entry);
        const other = this.#index.entriesOf(blob, type).find((one) => this.#stored.has(this.#index.locationOf(one).pack));
        if (other === undefined) throw new CorruptError(`pack ${id}`, "it is missing in the store");
        used.add(other);
      }
    }
  }

  #usage(used: EntryBits): PackUse[] {
    const packs: PackUse[] = [];
    for (const { id } of this.#index.packs()) {
      if (!this.#stored.has(id)) continue;
      const use: PackUse = { id, usedBytes: 0, unusedBytes: 0, usedBlobs: 0 };
      for (const entry of this.#index.entriesIn(id)) {
        const { length } = this.#index.locationOf(entry);
        if (used.has(entry)) {
          use.usedBytes += length;
          use.usedBlobs += 1;
        } else {
          use.unusedBytes += length;
        }
      }
      packs.push(use);
    }
    return packs;
  }

  async #repack(plan: PrunePlan, used: EntryBits): Promise<IndexedPack[]> {
    if (plan.repack.length === 0) return [];
    const { report, signal, threads = defaultThreads() } = this.#options;
    const pool = new WorkerPool(threads);
    try {
      return await repack(this.#repository, this.#index, pool, {
        packs: plan.repack.map(({ id }) => id),
        isUsed: (entry) => used.has(entry),
        onPack: (done) => report?.({ phase: "repacking", done, total: plan.repack.length }),
        signal,
      });
    } finally {
      await pool.close();
    }
  }

  async #remove(packs: readonly Id[]): Promise<void> {
    const { report, signal } = this.#options;
    const { store } = this.#repository;
    let done = 0;
    await atOnce(packs, store.parallel, async (id) => {
      signal.throwIfAborted();
      await store.remove("data", id, signal);
      done += 1;
      report?.({ phase: "removing", done, total: packs.length });
    });
  }
}
