import { atOnce } from "../at-once.ts";
import type { Id } from "../format/ids.ts";
import { INDEX_BLOBS_MAX, type IndexedPack } from "../format/index-file.ts";
import type { FinishedPack } from "../format/pack.ts";
import type { Repository } from "../repository.ts";
import type { FileIndex, JournaledPack } from "./file-index.ts";

/** Packs that are stored at the same time, at most: each holds up to 25 MiB of memory. */
const WRITES_MAX = 2;
/** An index file is written at least so often, so that others find what is stored. restic's own number, in milliseconds. */
const INDEX_EVERY_MS = 10 * 60_000;

export interface SinkOptions {
  journal: FileIndex | null;
  /** Waited for before anything is stored. */
  mayStore: () => Promise<void>;
  now: () => number;
  signal: AbortSignal;
  /** A pack could not be stored. Called at most once; nothing is stored after it. */
  onFailed: (error: unknown) => void;
}

/** Stores packs, a few at a time, and names them in index files. */
export class PackSink {
  readonly #repository: Repository;
  readonly #options: SinkOptions;
  readonly #slots: number;
  readonly #writing = new Set<Promise<void>>();
  /**
   * Memory of packs that are stored. It is shared with the threads: moved to and fro, it would count as the memory of each in turn, and V8 would collect
   * garbage for every pack. There is never more of it than packs were filled and stored at the same time.
   */
  readonly #spares: SharedArrayBuffer[] = [];
  /** Stored, and in no index file yet. */
  #unindexed: IndexedPack[] = [];
  #unindexedBlobs = 0;
  #indexing: Promise<void> = Promise.resolve();
  #indexedAt: number;
  #failed = false;
  packs = 0;
  /** Bytes of the packs. */
  bytes = 0;

  constructor(repository: Repository, options: SinkOptions) {
    this.#repository = repository;
    this.#options = options;
    this.#slots = Math.max(1, Math.min(repository.store.parallel, WRITES_MAX));
    this.#indexedAt = options.now();
  }

  /** Takes packs that an earlier run stored: they only have to be named. */
  adopt(packs: readonly JournaledPack[]): void {
    for (const { id, blobs } of packs) {
      this.#repository.index.addPack({ id, blobs });
      this.#stored({ id, blobs });
    }
  }

  /** Begins to store a pack, as soon as there is room for one more. */
  async store(pack: FinishedPack): Promise<void> {
    await this.#options.mayStore();
    while (this.#writing.size >= this.#slots) await Promise.race(this.#writing);
    this.#options.signal.throwIfAborted();
    const writing: Promise<void> = this.#write(pack)
      .catch((error: unknown) => {
        if (this.#failed) return;
        this.#failed = true;
        this.#options.onFailed(error);
      })
      .finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
  }

  /** Memory of a pack that is stored, for the next one. Whoever takes it has it alone. */
  takeSpare(): SharedArrayBuffer | undefined {
    return this.#spares.pop();
  }

  /** Waits until everything is stored and named. */
  async finish(): Promise<void> {
    await this.settled();
    this.#options.signal.throwIfAborted();
    this.#index();
    await this.#indexing;
  }

  /** Waits until nothing is being stored. */
  async settled(): Promise<void> {
    await Promise.all(this.#writing);
    await this.#indexing;
  }

  /** Stored packs that no index file names. */
  get unindexed(): readonly IndexedPack[] {
    return this.#unindexed;
  }

  async #write({ id, bytes, blobs }: FinishedPack): Promise<void> {
    const { journal, signal } = this.#options;
    journal?.packBegun({ id, blobs, bytes: bytes.length });
    await this.#repository.savePack({ id, blobs, bytes }, signal);
    this.packs += 1;
    this.bytes += bytes.length;
    if (bytes.buffer instanceof SharedArrayBuffer) this.#spares.push(bytes.buffer);
    this.#stored({ id, blobs });
  }

  #stored(pack: IndexedPack): void {
    this.#unindexed.push(pack);
    this.#unindexedBlobs += pack.blobs.length;
    if (this.#unindexedBlobs >= INDEX_BLOBS_MAX || this.#options.now() - this.#indexedAt >= INDEX_EVERY_MS) this.#index();
  }

  #index(): void {
    this.#indexing = this.#indexing
      .then(() => this.#saveIndex())
      .catch((error: unknown) => {
        if (this.#failed) return;
        this.#failed = true;
        this.#options.onFailed(error);
      });
  }

  async #saveIndex(): Promise<void> {
    const packs = this.#unindexed;
    if (packs.length === 0 || this.#failed) return;
    this.#unindexed = [];
    this.#unindexedBlobs = 0;
    this.#indexedAt = this.#options.now();
    try {
      for (const part of parts(packs)) await this.#repository.saveIndex(part, this.#options.signal);
    } catch (error) {
      this.#unindexed.push(...packs);
      throw error;
    }
    this.#options.journal?.packsEnded(packs.map(({ id }) => id));
  }
}

/** Packs of one index file each: about as many blobs as restic puts into one. */
function* parts(packs: readonly IndexedPack[]): Generator<IndexedPack[]> {
  let part: IndexedPack[] = [];
  let blobs = 0;
  for (const pack of packs) {
    part.push(pack);
    blobs += pack.blobs.length;
    if (blobs < INDEX_BLOBS_MAX) continue;
    yield part;
    part = [];
    blobs = 0;
  }
  if (part.length > 0) yield part;
}

/** Packs of the journal that are whole in the store and that no index file names. */
export async function stillThere(repository: Repository, journal: FileIndex, signal: AbortSignal): Promise<JournaledPack[]> {
  const there: JournaledPack[] = [];
  const ended: Id[] = [];
  await atOnce(journal.begunPacks(), repository.store.parallel, async (pack) => {
    const stored = repository.index.hasPack(pack.id) ? null : await repository.store.stat("data", pack.id, signal);
    if (stored?.bytes === pack.bytes) there.push(pack);
    else ended.push(pack.id);
  });
  if (ended.length > 0) journal.packsEnded(ended);
  return there;
}
