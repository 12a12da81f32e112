import { join } from "node:path";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "../../testing/tree.ts";
import { hashOf, type Id } from "../format/ids.ts";
import type { IndexedPack } from "../format/index-file.ts";
import type { ScryptParams } from "../format/key-file.ts";
import { type BlobType, PackBuilder } from "../format/pack.ts";
import type { SnapshotSummary } from "../format/snapshot.ts";
import { encodeTree, type TreeNode } from "../format/tree.ts";
import { type OpenOptions, Repository } from "../repository.ts";
import { LocalStore } from "../stores/local.ts";

export const PASSWORD = Buffer.from("a password for tests");
/** The cheapest keys that restic takes too: with the usual ones, most of what tests do would be waiting for the password. */
export const QUICK_KEY: ScryptParams = { N: 2, r: 8, p: 1 };
const NOW = Date.UTC(2026, 10, 22, 12);
const NOW_NS = BigInt(NOW) * 1_000_000n;

/** A folder with what is in it; bytes of a file, or its blobs; or any node as it is. */
export type MadeNode = Buffer | Buffer[] | { [name: string]: MadeNode } | { node: Partial<TreeNode> & Pick<TreeNode, "type"> };

/** A repository that a test fills blob by blob, so that it may hold what no backup would write. */
export class MadeRepository {
  readonly folder: string;
  readonly path: string;
  readonly store: LocalStore;
  readonly repository: Repository;
  readonly #pending = new Map<BlobType, PackBuilder>();
  readonly #packs: IndexedPack[] = [];

  constructor(folder: string, store: LocalStore, repository: Repository) {
    this.folder = folder;
    this.path = store.folder;
    this.store = store;
    this.repository = repository;
  }

  static async make(): Promise<MadeRepository> {
    const { path, remove } = await temporaryFolder();
    onTestFinished(remove);
    const store = new LocalStore(join(path, "repository"));
    const repository = await Repository.init(store, PASSWORD, { hostname: "game-host", username: "steward", now: NOW, scrypt: QUICK_KEY });
    return new MadeRepository(path, store, repository);
  }

  /** Opened anew, with its index. */
  async open(options: OpenOptions = {}): Promise<Repository> {
    const repository = await Repository.open(this.store, PASSWORD, options);
    await repository.loadIndex();
    return repository;
  }

  /** Puts a blob into the pack that is being filled. */
  blob(type: BlobType, plain: Buffer): Id {
    const id = hashOf(plain);
    const { index, cipher } = this.repository;
    const builder = this.#pending.get(type) ?? new PackBuilder(cipher, type);
    this.#pending.set(type, builder);
    if (!index.has(id, type) && !builder.blobs.some((blob) => blob.id === id)) builder.add(id, plain, 1);
    return id;
  }

  /** Stores the packs that are being filled, so that later blobs lie in others. */
  async endPacks(): Promise<void> {
    for (const builder of this.#pending.values()) {
      const pack = builder.finish();
      await this.repository.savePack(pack);
      this.#packs.push({ id: pack.id, blobs: pack.blobs });
    }
    this.#pending.clear();
  }

  tree(folder: { [name: string]: MadeNode }): Id {
    return this.blob("tree", encodeTree(Object.entries(folder).map(([name, made]) => this.node(Buffer.from(name), made))));
  }

  node(name: Buffer, made: MadeNode): TreeNode {
    const common = {
      name,
      mode: 0o644,
      mtimeNs: NOW_NS,
      atimeNs: NOW_NS,
      ctimeNs: NOW_NS,
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
    };
    if (Buffer.isBuffer(made)) return this.node(name, made.length === 0 ? [] : [made]);
    if (Array.isArray(made)) {
      const content = made.map((plain) => this.blob("data", plain));
      return { ...common, type: "file", size: BigInt(made.reduce((sum, { length }) => sum + length, 0)), content };
    }
    if ("node" in made && typeof made.node === "object" && "type" in made.node)
      return { ...common, ...(made.node as Partial<TreeNode> & Pick<TreeNode, "type">) };
    return { ...common, type: "dir", mode: 0o755, subtree: this.tree(made as { [name: string]: MadeNode }) };
  }

  /** Stores everything and a snapshot of the tree. */
  async snapshot(
    tree: Id,
    options: { time?: string; tags?: string[]; hostname?: string; paths?: string[]; summary?: SnapshotSummary } = {},
  ): Promise<Id> {
    await this.endPacks();
    if (this.#packs.length > 0) await this.repository.saveIndex(this.#packs.splice(0));
    const { time = new Date(NOW).toISOString(), tags, hostname = "game-host", paths = ["/world"], summary } = options;
    return this.repository.saveSnapshot({ time, tree, paths, hostname, username: "steward", tags, summary });
  }
}
