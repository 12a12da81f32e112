import { defaultThreads, WorkerPool } from "../../workers/pool.ts";
import { atOnce } from "../at-once.ts";
import { BlobReader } from "../blob-reader.ts";
import type { Id } from "../format/ids.ts";
import { packBytes } from "../format/pack.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { decodeTree } from "../format/tree.ts";
import { BlobIndex } from "../index/blob-index.ts";
import { EntryBits } from "../index/entry-bits.ts";
import { markReachable } from "../list/reachable.ts";
import type { TreeSource } from "../list/walk-tree.ts";
import { readAvailable } from "../pack-range.ts";
import type { Repository } from "../repository.ts";
import { attribute } from "./attribute.ts";
import { FileChecks } from "./files.ts";
import { VERIFY_PACK, type VerifyPackInput, type VerifyPackOutcome } from "./pack-tasks.ts";
import { Problems, type VerifyProblem, type VerifyReport } from "./report.ts";
import { type Arc, distance, isInArc, isInShare } from "./share.ts";

export interface VerifyProgress {
  phase: "files" | "trees" | "packs" | "hits";
  /** Trees or packs; the total of trees is not known. */
  done: number;
  total?: number;
}

export interface VerifyOptions {
  /** True: every pack is read whole. A share from 0 to 1: that many of them, see `turn`. False: only what the structure needs. */
  readData: boolean | number;
  /** Counts up from run to run, so that a share comes round to every pack. */
  turn?: number;
  /** Reads the packs of this part of the circle instead, in its order, until `enough`. */
  arc?: Arc & { enough?: () => boolean };
  threads?: number;
  /** Threads that somebody else has started and closes. */
  pool?: WorkerPool;
  report?: (progress: VerifyProgress) => void;
  signal: AbortSignal;
}

/** No pack is larger in any program's settings (restic ends at 128 MiB); a larger one is not read into memory. In bytes. */
const PACK_MAX_BYTES = 640 * 1024 * 1024;
/** Packs that are read ahead of the threads. */
const READ_AHEAD = 1;

/**
 * Looks whether everything in a repository is there and whole, and names what is not with the files that it hits. It reads the store itself, whatever this
 * host keeps of it. Open the repository with `onDamaged` to verify one whose config is damaged.
 * @throws what the store throws, but for missing files
 */
export async function verify(repository: Repository, options: VerifyOptions): Promise<VerifyReport> {
  return new Verification(repository, options).run();
}

class Verification {
  readonly #repository: Repository;
  readonly #options: VerifyOptions;
  readonly #problems = new Problems();
  readonly #index = new BlobIndex();
  /** Blobs that the index names and no pack has whole there. */
  #damaged = new EntryBits(0);
  /** Bytes of each pack in the store. */
  readonly #stored = new Map<Id, number>();
  readonly #missing = new Map<Id, VerifyProblem | null>();
  #packsRead = 0;
  #bytesRead = 0;
  #unread: Id | undefined;

  constructor(repository: Repository, options: VerifyOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  async run(): Promise<VerifyReport> {
    const started = performance.now();
    const { report, signal } = this.#options;
    report?.({ phase: "files", done: 0 });
    const files = new FileChecks(this.#repository, this.#problems, signal);
    await files.config();
    await files.keys();
    await files.locks();
    const snapshots = await files.snapshots();
    const indexes = await files.indexes(this.#index);
    this.#damaged = new EntryBits(this.#index.size);
    const odd = await this.#comparePacks();
    await this.#readPacks(odd);
    const source = this.#treeSource();
    await this.#markTrees(source, snapshots);
    report?.({ phase: "hits", done: 0 });
    if (this.#problems.count > 0) await attribute(source, snapshots, (id, type) => this.#lostBy(id, type), signal);
    return {
      ok: this.#problems.count === 0,
      problems: this.#problems.all,
      problemCount: this.#problems.count,
      snapshots: snapshots.length,
      indexes,
      packs: this.#index.packCount,
      packsRead: this.#packsRead,
      bytesRead: this.#bytesRead,
      ...(this.#unread !== undefined && { unread: this.#unread }),
      blobs: this.#index.size,
      strayPacks: [...this.#stored.keys()].filter((pack) => !this.#index.hasPack(pack)).length,
      ms: Math.round(performance.now() - started),
    };
  }

  /** Looks whether each pack is there with its size. Answers those that have another one. */
  async #comparePacks(): Promise<Set<Id>> {
    const odd = new Set<Id>();
    for await (const { name, bytes } of this.#repository.store.list("data", this.#options.signal)) this.#stored.set(name, bytes);
    for (const { id } of this.#index.packs()) {
      const bytes = this.#stored.get(id);
      const expected = packBytes(this.#index.blobsOf(id));
      if (bytes === expected) continue;
      if (bytes !== undefined && bytes <= PACK_MAX_BYTES) odd.add(id);
      else for (const entry of this.#index.entriesIn(id)) this.#damaged.add(entry);
      this.#problems.add("pack", id, bytes === undefined ? "it is missing in the store" : `it has ${bytes} bytes instead of ${expected}`);
    }
    return odd;
  }

  /** Reads packs whole: those of the share, and those whose size is wrong, to learn which of their blobs are left. */
  async #readPacks(odd: ReadonlySet<Id>): Promise<void> {
    const { readData, turn = 0, arc, report, signal } = this.#options;
    const threads = this.#options.pool?.threads.length ?? this.#options.threads ?? defaultThreads();
    const share = Number(readData);
    const wanted = (id: Id) => (arc === undefined ? isInShare(id, share, turn) : isInArc(id, arc));
    const chosen = [...this.#index.packs()]
      .map(({ id }) => id)
      .filter((id) => odd.has(id) || ((this.#stored.get(id) ?? Number.POSITIVE_INFINITY) <= PACK_MAX_BYTES && wanted(id)));
    if (arc !== undefined) chosen.sort((a, b) => distance(a, arc.from) - distance(b, arc.from));
    if (chosen.length === 0) return;
    const pool = this.#options.pool ?? new WorkerPool(Math.min(threads, chosen.length));
    try {
      await atOnce(chosen, Math.max(1, Math.min(this.#repository.store.parallel, threads + READ_AHEAD)), async (pack) => {
        signal.throwIfAborted();
        // Those whose size is wrong come in any case: what is lost with them has to be known.
        if (arc?.enough?.() === true && !odd.has(pack)) {
          if (this.#unread === undefined || distance(pack, arc.from) < distance(this.#unread, arc.from)) this.#unread = pack;
          return;
        }
        await this.#readPack(pack, pool);
        this.#packsRead += 1;
        report?.({ phase: "packs", done: this.#packsRead, total: chosen.length });
      });
    } finally {
      if (this.#options.pool === undefined) await pool.close();
    }
  }

  async #readPack(pack: Id, pool: WorkerPool): Promise<void> {
    const { store, master } = this.#repository;
    const read = await readAvailable(store, pack, 0, this.#stored.get(pack) ?? 0, this.#options.signal);
    this.#bytesRead += read.length;
    const entries = this.#index.entriesIn(pack).sort((a, b) => this.#index.locationOf(a).offset - this.#index.locationOf(b).offset);
    const blobs = entries.map((entry) => this.#index.blobOf(entry));
    // A copy where the buffer holds more than the pack: it moves to the thread.
    const bytes = read.byteLength === read.buffer.byteLength ? new Uint8Array(read.buffer as ArrayBuffer) : Uint8Array.from(read);
    const input: VerifyPackInput = { master, pack, bytes, blobs };
    const { wrong, damaged } = await pool.run<VerifyPackOutcome>(VERIFY_PACK, input, [bytes.buffer as ArrayBuffer]);
    for (const what of wrong) this.#problems.add("pack", pack, what);
    if (damaged.length > 0) this.#problems.add("pack", pack, `${damaged.length} of its ${blobs.length} blobs are damaged`);
    for (const n of damaged) this.#damaged.add(entries[n] as number);
  }

  async #markTrees(source: TreeSource, snapshots: readonly Snapshot[]): Promise<void> {
    const { report, signal } = this.#options;
    await markReachable(
      source,
      this.#index,
      snapshots.map(({ tree }) => tree),
      {
        signal,
        onMissing: (id, type) => {
          const kind = type === "tree" ? "tree" : "blob";
          this.#missing.set(id, this.#problems.add(kind, id, "no index file names it"));
        },
        onDamaged: (tree, error) => {
          // The pack is named already when it was read.
          const known = this.#index.entriesOf(tree, "tree").some((entry) => this.#problemOf(entry) !== undefined);
          if (!known) this.#missing.set(tree, this.#problems.add("tree", tree, error.wrong));
        },
        onTree: (done) => report?.({ phase: "trees", done }),
      },
    );
  }

  #lostBy(id: Id, type: "data" | "tree"): readonly VerifyProblem[] {
    const missing = this.#missing.get(id);
    if (missing !== undefined) return missing === null ? [] : [missing];
    const entries = this.#index.entriesOf(id, type);
    if (!entries.every((entry) => this.#damaged.has(entry))) return [];
    return entries.map((entry) => this.#problemOf(entry)).filter((problem) => problem !== undefined);
  }

  #problemOf(entry: number): VerifyProblem | undefined {
    return this.#problems.find("pack", this.#index.packId(this.#index.packNumberOf(entry)));
  }

  /** Trees by the index that was just read, from the store. */
  #treeSource(): TreeSource {
    const reader = new BlobReader(this.#repository.store, this.#repository.cipher, this.#index);
    return { readTree: async (id, signal) => decodeTree(await reader.read(id, "tree", signal), `tree ${id}`) };
  }
}
