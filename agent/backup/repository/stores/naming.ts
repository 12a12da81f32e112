import type { FileInfo, FileType, RepositoryStore } from "./store.ts";

/** Files that somebody wanted removed, by their type. Locks are not among them: those go for real. */
export interface Named {
  snapshots: string[];
  index: string[];
  data: string[];
}

/**
 * A store from which nothing but locks is removed: what is to go is named, and not shown any more. So a prune that is made for stores which remove can be
 * worked out over one that does not: whatever becomes of it, everything that was there is still there.
 */
export class NamingStore implements RepositoryStore {
  readonly named: Named = { snapshots: [], index: [], data: [] };
  readonly #store: RepositoryStore;
  readonly #gone = new Set<string>();

  constructor(store: RepositoryStore) {
    this.#store = store;
  }

  get place(): string {
    return this.#store.place;
  }

  get parallel(): number {
    return this.#store.parallel;
  }

  create(signal?: AbortSignal): Promise<void> {
    return this.#store.create(signal);
  }

  read(...call: Parameters<RepositoryStore["read"]>): Promise<Buffer> {
    return this.#store.read(...call);
  }

  async write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    // What is written again is needed again.
    if (this.#gone.delete(key(type, name)) && isNamed(type)) this.named[type] = this.named[type].filter((one) => one !== name);
    await this.#store.write(type, name, bytes, signal);
  }

  async stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    return this.#gone.has(key(type, name)) ? null : this.#store.stat(type, name, signal);
  }

  async *list(type: FileType, signal?: AbortSignal): AsyncIterable<FileInfo> {
    for await (const file of this.#store.list(type, signal)) if (!this.#gone.has(key(type, file.name))) yield file;
  }

  async remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    if (!isNamed(type)) return this.#store.remove(type, name, signal);
    if (this.#gone.has(key(type, name))) return;
    this.#gone.add(key(type, name));
    this.named[type].push(name);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function isNamed(type: FileType): type is keyof Named {
  return type === "snapshots" || type === "index" || type === "data";
}

function key(type: FileType, name: string): string {
  return `${type}/${name}`;
}
