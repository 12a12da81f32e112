import { decodeConfig } from "../format/config-file.ts";
import { CorruptError } from "../format/corrupt.ts";
import { hashOf, type Id } from "../format/ids.ts";
import type { Snapshot } from "../format/snapshot.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { readIndexFile } from "../index/load-index.ts";
import { readLocks } from "../locks/lock.ts";
import { missingIsDamage } from "../missing.ts";
import type { Repository } from "../repository.ts";
import { CONFIG_NAME, type FileType } from "../stores/store.ts";
import type { BrokenKind, Problems } from "./report.ts";

/** What a repository consists of beside packs: each file is read and opened. */
export class FileChecks {
  readonly #repository: Repository;
  readonly #problems: Problems;
  readonly #signal: AbortSignal;

  constructor(repository: Repository, problems: Problems, signal: AbortSignal) {
    this.#repository = repository;
    this.#problems = problems;
    this.#signal = signal;
  }

  async config(): Promise<void> {
    const { store, cipher } = this.#repository;
    await this.#checked("config", "config", async () => {
      decodeConfig(cipher, await missingIsDamage("config", store.read("config", CONFIG_NAME, undefined, this.#signal)));
    });
  }

  /** What is in other keys than the one that opened the repository is behind other passwords: their bytes must be those of their name. */
  async keys(): Promise<void> {
    const { store } = this.#repository;
    for (const name of await this.#names("keys")) {
      await this.#checked("key", name, async () => {
        const bytes = await missingIsDamage(`key ${name}`, store.read("keys", name, undefined, this.#signal));
        if (hashOf(bytes) !== name) throw new CorruptError(`key ${name}`, "its content has another SHA-256 than its name");
      });
    }
  }

  async locks(): Promise<void> {
    for (const seen of await readLocks(this.#repository, this.#signal)) {
      if ("damage" in seen) this.#problems.add("lock", seen.name, seen.damage.wrong);
    }
  }

  async snapshots(): Promise<Snapshot[]> {
    const snapshots: Snapshot[] = [];
    for (const name of await this.#names("snapshots")) {
      await this.#checked("snapshot", name, async () => {
        snapshots.push(await this.#repository.readSnapshot(name, this.#signal));
      });
    }
    return snapshots;
  }

  /** Fills an index from the files themselves, not from what this host keeps of them. Answers how many there are. */
  async indexes(index: BlobIndex): Promise<number> {
    const { store, cipher } = this.#repository;
    const names = await this.#names("index");
    for (const name of names) {
      await this.#checked("index", name, async () => {
        for (const pack of await readIndexFile({ store, cipher, index }, name, this.#signal)) index.addPack(pack, name);
      });
    }
    return names.length;
  }

  async #names(type: FileType): Promise<Id[]> {
    const names: Id[] = [];
    for await (const { name } of this.#repository.store.list(type, this.#signal)) names.push(name);
    return names;
  }

  async #checked(kind: BrokenKind, name: string, check: () => Promise<void>): Promise<void> {
    this.#signal.throwIfAborted();
    try {
      await check();
    } catch (error) {
      if (!(error instanceof CorruptError)) throw error;
      this.#problems.add(kind, name, error.wrong);
    }
  }
}
