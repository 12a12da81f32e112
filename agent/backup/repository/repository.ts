import { join } from "node:path";
import { AgentError } from "../../errors.ts";
import { BlobReader } from "./blob-reader.ts";
import { Cipher, type MasterKey } from "./format/cipher.ts";
import { encodeConfig, type RepositoryConfig } from "./format/config-file.ts";
import { CorruptError } from "./format/corrupt.ts";
import { openDocument } from "./format/document.ts";
import type { Id } from "./format/ids.ts";
import { encodeIndex, type IndexedPack } from "./format/index-file.ts";
import { createKeyFile, newMasterKey, type ScryptParams } from "./format/key-file.ts";
import type { BlobType, FinishedPack } from "./format/pack.ts";
import { newPolynomial } from "./format/polynomial.ts";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "./format/snapshot.ts";
import { decodeTree, type TreeNode } from "./format/tree.ts";
import { BlobIndex } from "./index/blob-index.ts";
import { IndexCache } from "./index/index-cache.ts";
import { loadIndexFiles } from "./index/load-index.ts";
import { acquireLock, beginLock, type LockKind, type LockOptions, type RepositoryLock } from "./locks/lock.ts";
import { missingIsDamage } from "./missing.ts";
import { openKeys } from "./open-keys.ts";
import { matchesFilter, nameByPrefix, newestFirst, type SnapshotFilter } from "./snapshots.ts";
import { CONFIG_NAME, type RepositoryStore } from "./stores/store.ts";
import { TreeCache } from "./tree-cache.ts";

export interface InitOptions {
  hostname: string;
  username: string;
  /** Milliseconds since the epoch. */
  now: number;
  /** In hex. Absent: a new one. Repositories with the same polynomial cut the same file in the same places. */
  chunkerPolynomial?: string;
  /** What the password is hashed with. SCRYPT_PARAMS when absent. */
  scrypt?: ScryptParams;
}

export interface OpenOptions {
  /** Index files are kept here for the next run. Absent: nothing is kept. */
  cacheFolder?: string;
  /** Told of a damaged config, index file or snapshot; work then goes on without it. Absent: the first one is an error. */
  onDamaged?: (damage: CorruptError) => void;
  signal?: AbortSignal;
}

/** An open repository of restic's format, version 1 or 2. It reads everything that restic wrote, and writes what restic reads. */
export class Repository {
  readonly store: RepositoryStore;
  readonly config: RepositoryConfig;
  readonly master: MasterKey;
  readonly cipher: Cipher;
  /** Empty until `loadIndex`. */
  readonly index = new BlobIndex();
  readonly #reader: BlobReader;
  readonly #trees = new TreeCache();
  readonly #cache: IndexCache | undefined;
  readonly #onDamaged: ((damage: CorruptError) => void) | undefined;
  /** Index files that `index` holds. */
  readonly #loaded = new Set<Id>();

  private constructor(store: RepositoryStore, master: MasterKey, config: RepositoryConfig, options: OpenOptions) {
    this.store = store;
    this.master = master;
    this.config = config;
    this.cipher = new Cipher(master);
    this.#reader = new BlobReader(store, this.cipher, this.index);
    this.#onDamaged = options.onDamaged;
    if (options.cacheFolder !== undefined) this.#cache = new IndexCache(join(options.cacheFolder, config.id, "index"));
  }

  /**
   * Makes a new repository: a key that the password opens, then the config.
   * @throws AgentError `repository-exists`
   */
  static async init(store: RepositoryStore, password: Buffer, options: InitOptions): Promise<Repository> {
    await store.create();
    if ((await store.stat("config", CONFIG_NAME)) !== null || (await holdsData(store))) {
      throw new AgentError(
        "repository-exists",
        `There is a repository at ${store.place} already. Use it, or choose another place for a new one.`,
      );
    }
    const master = newMasterKey();
    const config: RepositoryConfig = {
      version: 2,
      id: newMasterKey().encrypt.toString("hex"),
      chunker_polynomial: options.chunkerPolynomial ?? newPolynomial(),
    };
    const { hostname, username, now } = options;
    const key = await createKeyFile(password, master, { hostname, username, now }, options.scrypt);
    await store.write("keys", key.name, key.bytes);
    await store.write("config", CONFIG_NAME, encodeConfig(new Cipher(master), config));
    return new Repository(store, master, config, {});
  }

  /** @throws AgentError `repository-missing`, `wrong-password`, `repository-version`, `repository-damaged` */
  static async open(store: RepositoryStore, password: Buffer, options: OpenOptions = {}): Promise<Repository> {
    const { master, config } = await openKeys(store, password, options);
    return new Repository(store, master, config, options);
  }

  /** Reads every index file that is not known yet, several at a time. A second call takes in what others have written since. */
  async loadIndex(signal?: AbortSignal): Promise<void> {
    const { store, cipher, index } = this;
    await loadIndexFiles({ store, cipher, index, cache: this.#cache, onDamaged: this.#onDamaged }, this.#loaded, signal);
  }

  /**
   * A blob, decrypted, decompressed, its hash checked.
   * @throws CorruptError when no pack has it whole
   */
  readBlob(id: Id, type: BlobType, signal?: AbortSignal): Promise<Buffer> {
    return this.#reader.read(id, type, signal);
  }

  /**
   * The nodes of a tree. The last ones are kept, so nobody may change them.
   * @throws CorruptError
   */
  async readTree(id: Id, signal?: AbortSignal): Promise<TreeNode[]> {
    const known = this.#trees.get(id);
    if (known !== undefined) return known;
    const bytes = await this.#reader.read(id, "tree", signal);
    const nodes = decodeTree(bytes, `tree ${id}`);
    this.#trees.set(id, nodes, bytes.length);
    return nodes;
  }

  /** Every snapshot, in no particular order. Damaged ones are told to `onDamaged` of `open`, or are an error. */
  async *snapshots(signal?: AbortSignal): AsyncGenerator<Snapshot> {
    const names = await this.#snapshotNames(signal);
    const read = (name: Id) => this.readSnapshot(name, signal).catch((error: unknown) => ({ error }));
    // As many as the store likes are on their way; they come out in the order of their names.
    const ahead = names.splice(0, this.store.parallel).map(read);
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
      const name = names.shift();
      if (name !== undefined) ahead.push(read(name));
      const answer = await next;
      if (!("error" in answer)) yield answer;
      else if (answer.error instanceof CorruptError && this.#onDamaged !== undefined) this.#onDamaged(answer.error);
      else throw answer.error;
    }
  }

  /** @throws CorruptError */
  async readSnapshot(name: Id, signal?: AbortSignal): Promise<Snapshot> {
    const bytes = await missingIsDamage(`snapshot ${name}`, this.store.read("snapshots", name, undefined, signal));
    return decodeSnapshot(openDocument(this.cipher, "snapshots", name, bytes), name);
  }

  /**
   * The newest snapshot of those that the filter lets through, or the one whose id begins with the given digits.
   * @throws AgentError `snapshot-missing`, `snapshot-ambiguous`
   */
  async findSnapshot(name: string, filter: SnapshotFilter = {}, signal?: AbortSignal): Promise<Snapshot> {
    if (name !== "latest") return this.readSnapshot(nameByPrefix(name, await this.#snapshotNames(signal)), signal);
    let newest: Snapshot | undefined;
    for await (const snapshot of this.snapshots(signal)) {
      if (matchesFilter(snapshot, filter) && (newest === undefined || newestFirst(snapshot, newest) < 0)) newest = snapshot;
    }
    if (newest === undefined) {
      throw new AgentError(
        "snapshot-missing",
        `The repository at ${this.store.place} has no such snapshot. "reconsync repository snapshots" lists those there are.`,
      );
    }
    return newest;
  }

  /**
   * Takes a lock and keeps it fresh. `shared`: others may read and add meanwhile. `exclusive`: nobody else may work.
   * @throws AgentError `repository-locked` when somebody else holds one that is in the way
   */
  lock(kind: LockKind, options: LockOptions): Promise<RepositoryLock> {
    return acquireLock({ store: this.store, cipher: this.cipher, version: this.config.version }, kind, options);
  }

  /** The same, for work that reads first: it waits for `confirmed` of the lock before it writes anything. */
  beginLock(kind: LockKind, options: LockOptions): Promise<RepositoryLock> {
    return beginLock({ store: this.store, cipher: this.cipher, version: this.config.version }, kind, options);
  }

  /** Stores a pack, then takes its blobs into the index. They are found by others once `saveIndex` has named the pack. */
  async savePack(pack: FinishedPack, signal?: AbortSignal): Promise<void> {
    await this.store.write("data", pack.id, pack.bytes, signal);
    this.index.addPack(pack);
  }

  /** Stores an index file that names these packs, which must be stored. */
  async saveIndex(packs: readonly IndexedPack[], signal?: AbortSignal): Promise<Id> {
    const { name, bytes } = encodeIndex(this.cipher, this.config.version, packs);
    await this.store.write("index", name, bytes, signal);
    for (const pack of packs) if (!this.index.hasPack(pack.id)) this.index.addPack(pack);
    const ids = packs.map(({ id }) => id);
    this.index.named(ids, name);
    this.#loaded.add(name);
    await this.#cache?.save(name, packs);
    return name;
  }

  /** Stores a snapshot. What it refers to must be stored and indexed. */
  async saveSnapshot(snapshot: Omit<Snapshot, "id">, signal?: AbortSignal): Promise<Id> {
    const { name, bytes } = encodeSnapshot(this.cipher, this.config.version, snapshot);
    await this.store.write("snapshots", name, bytes, signal);
    return name;
  }

  async #snapshotNames(signal: AbortSignal | undefined): Promise<Id[]> {
    const names: Id[] = [];
    for await (const { name } of this.store.list("snapshots", signal)) names.push(name);
    return names;
  }
}

/** A place without a config that holds packs or snapshots is a repository that has lost it. A key alone is left by an `init` that was killed. */
async function holdsData(store: RepositoryStore): Promise<boolean> {
  for (const type of ["snapshots", "index", "data"] as const) {
    for await (const _ of store.list(type)) return true;
  }
  return false;
}
