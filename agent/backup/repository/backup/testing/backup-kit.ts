import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, type TestContext } from "vitest";
import { temporaryFolder } from "../../../testing/tree.ts";
import type { Id } from "../../format/ids.ts";
import { CHUNK_MIN_SHARED } from "../../kernels/chunker.ts";
import { Repository } from "../../repository.ts";
import { LocalStore } from "../../stores/local.ts";
import type { RepositoryStore } from "../../stores/store.ts";
import { QUICK_KEY } from "../../testing/made-repository.ts";
import { resticProgram, runRestic, SKIP_REASON } from "../../testing/restic.ts";
import { NODE_TIME_NS, treeDifferences, treeFacts } from "../../testing/tree-facts.ts";
import { nestedFolders } from "../paths.ts";
import { type BackupOptions, type BackupSummary, backup } from "../run.ts";

export const PASSWORD = "a password for tests";

/** Options of a backup that a test may leave out. */
export type KitOptions = Partial<BackupOptions> & { path?: string; store?: RepositoryStore };

/** A world to be backed up, a repository of its own on disk, and restic to look at it. */
export class BackupKit {
  readonly folder: string;
  /** Empty at first. */
  readonly world: string;
  readonly cache: string;
  readonly store: LocalStore;
  #restores = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.world = join(folder, "world");
    this.cache = join(folder, "cache");
    this.store = new LocalStore(join(folder, "repository"));
  }

  static async make(): Promise<BackupKit> {
    const { path, remove } = await temporaryFolder();
    onTestFinished(remove);
    const kit = new BackupKit(path);
    mkdirSync(kit.world);
    await Repository.init(kit.store, Buffer.from(PASSWORD), {
      hostname: "game-host",
      username: "steward",
      now: Date.now(),
      scrypt: QUICK_KEY,
    });
    return kit;
  }

  open(store: RepositoryStore = this.store): Promise<Repository> {
    return Repository.open(store, Buffer.from(PASSWORD));
  }

  /** Backs the world up, as restic would cut it, with this kit's file index. */
  async backup({ path = this.world, store = this.store, ...options }: KitOptions = {}): Promise<BackupSummary> {
    return await backup({ store, opening: this.open(store) }, [{ path }], {
      hostname: "game-host",
      username: "steward",
      now: Date.now,
      level: 1,
      chunkMin: CHUNK_MIN_SHARED,
      threads: 2,
      cacheFolder: this.cache,
      signal: new AbortController().signal,
      ...options,
    });
  }

  /** Runs restic, which has to succeed. */
  async restic(...args: string[]): Promise<string> {
    const { stdout, stderr, code } = await runRestic(this.store.folder, PASSWORD, args);
    expect({ code, stderr }, `restic ${args.join(" ")}`).toMatchObject({ code: 0 });
    return stdout;
  }

  /** restic finds every byte of the repository as it should be. */
  async check(): Promise<void> {
    expect(await this.restic("check", "--read-data")).toContain("no errors were found");
  }

  /** The newest snapshot that restic made of the world. */
  async resticSnapshot(): Promise<string> {
    const all = JSON.parse(await this.restic("snapshots", "--json")) as { id: string; program_version?: string }[];
    return all.filter(({ program_version }) => !program_version?.startsWith("ReconSync")).at(-1)?.id ?? "";
  }

  /** Id of the world's own tree. Those above tell of folders that others change too. */
  async worldTree(snapshot: string): Promise<Id> {
    const repository = await this.open();
    await repository.loadIndex();
    let { tree } = await repository.readSnapshot(snapshot);
    for (const { name } of nestedFolders(this.world)) {
      const node = (await repository.readTree(tree)).find((other) => other.name.equals(Buffer.from(name)));
      tree = node?.subtree ?? "";
    }
    return tree;
  }

  /** Where the world of a snapshot lies, restored by restic. */
  async restore(snapshot: string): Promise<string> {
    this.#restores += 1;
    const target = join(this.folder, `restored-${this.#restores}`);
    await this.restic("restore", snapshot, "--target", target);
    return join(target, this.world);
  }

  /** restic restores a snapshot as the world is now. */
  async expectRestored(snapshot: string): Promise<void> {
    const restored = await this.restore(snapshot);
    expect(treeDifferences(treeFacts(this.world), treeFacts(restored), NODE_TIME_NS)).toEqual([]);
    rmSync(restored, { recursive: true });
  }
}

export function needsRestic(context: TestContext): void {
  if (resticProgram() === null) context.skip(SKIP_REASON);
}

/** A store of which one method is another. */
export function replaced<N extends keyof RepositoryStore>(store: RepositoryStore, name: N, method: RepositoryStore[N]): RepositoryStore {
  return new Proxy(store, {
    get: (target, asked) => {
      if (asked === name) return method;
      const value: unknown = Reflect.get(target, asked, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
