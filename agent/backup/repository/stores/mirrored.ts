import { AgentError } from "../../../errors.ts";
import { type CatchUpOptions, type CatchUpResult, catchUp, checkSame } from "./catch-up.ts";
import type { ByteRange, FileInfo, FileType, RepositoryStore } from "./store.ts";

/** Bytes that may be on their way to the second store: two packs of 16 MiB. What comes while there are more is left to `catchUp`. */
export const MIRROR_PENDING_BYTES_MAX = 32 * 1024 * 1024;

export interface MirrorOptions {
  /** Told of what failed in the second store, and of what had to be read from it. Nothing of it stops the work. */
  onProblem: (problem: MirrorProblem) => void;
  pendingBytesMax?: number;
}

export interface MirrorProblem {
  /** `behind`: the second misses files until it catches up; `read-from-second`: the first could not give a file that the second has. */
  kind: "behind" | "read-from-second";
  error: unknown;
}

/**
 * A store whose files are copied to a second one. The first decides: only what fails there fails. The second gets packs while they are written to
 * the first, as far as it keeps up, and indexes and snapshots only when it has all before them; so it is a whole repository at any time, if an
 * older one. Locks are in the first alone.
 */
export class MirroredStore implements RepositoryStore {
  readonly place: string;
  readonly folder?: string;
  readonly parallel: number;
  readonly first: RepositoryStore;
  readonly second: RepositoryStore;
  readonly #onProblem: (problem: MirrorProblem) => void;
  readonly #pendingBytesMax: number;
  readonly #pending = new Set<Promise<void>>();
  #pendingBytes = 0;
  /** Counts what the second did not get. */
  #misses = 0;
  /** What was missed before this run nobody knows, so it begins like this. */
  #behind = true;
  #told = false;
  #checked: Promise<void> | undefined;

  constructor(first: RepositoryStore, second: RepositoryStore, { onProblem, pendingBytesMax = MIRROR_PENDING_BYTES_MAX }: MirrorOptions) {
    this.first = first;
    this.second = second;
    this.place = first.place;
    if (first.folder !== undefined) this.folder = first.folder;
    this.parallel = first.parallel;
    this.#onProblem = onProblem;
    this.#pendingBytesMax = pendingBytesMax;
  }

  /** Whether the second may miss something that `catchUp` would copy: from the start, until it has caught up once. */
  get behind(): boolean {
    return this.#behind;
  }

  async create(signal?: AbortSignal): Promise<void> {
    await this.first.create(signal);
    await this.#onSecond(() => this.second.create(signal), signal);
  }

  async write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.first.write(type, name, bytes, signal);
    if (type === "locks") return;
    if (type === "data") {
      this.#send(name, bytes, signal);
      return;
    }
    // With its config a repository begins, so that both begin together.
    if (type === "config") await this.#onSecond(() => this.catchUp({ signal }), signal);
    else await this.#follow(() => this.second.write(type, name, bytes, signal), signal);
  }

  /** What comes after other files goes to the second only when it has those. */
  async #follow(work: () => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    await this.settle();
    if (this.#behind) this.#misses += 1;
    else await this.#onSecond(work, signal);
  }

  /** A copy of the bytes goes on its way, since they belong to the caller again when the first store has them. */
  #send(name: string, bytes: Uint8Array, signal: AbortSignal | undefined): void {
    if (this.#pendingBytes + bytes.length > this.#pendingBytesMax) {
      this.#fellBehind(new AgentError("store-failed", `${this.second.place} is slower than ${this.place}; it catches up later.`));
      return;
    }
    const copy = Buffer.from(bytes);
    this.#pendingBytes += copy.length;
    const sending: Promise<void> = this.#copy(name, copy, signal)
      .catch((error: unknown) => this.#fellBehind(error))
      .finally(() => {
        this.#pendingBytes -= copy.length;
        this.#pending.delete(sending);
      });
    this.#pending.add(sending);
  }

  async #copy(name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    // Two repositories must never be mixed.
    this.#checked ??= checkSame(this.first, this.second, signal);
    try {
      await this.#checked;
    } catch (error) {
      this.#checked = undefined;
      throw error;
    }
    await this.second.write("data", name, bytes, signal);
  }

  /** Waits until nothing is on its way to the second store any more. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
  }

  /**
   * Copies everything that the second misses, whenever it came to miss it.
   * @throws AgentError `mirror-other-repository`; what the stores throw
   */
  async catchUp(options: CatchUpOptions = {}): Promise<CatchUpResult> {
    await this.settle();
    const misses = this.#misses;
    const result = await catchUp(this.first, this.second, options);
    if (this.#misses === misses) {
      this.#behind = false;
      this.#told = false;
    }
    return result;
  }

  async read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal, memory?: Uint8Array): Promise<Buffer> {
    return this.#either((store) => store.read(type, name, range, signal, memory), signal);
  }

  /** What the first has. Only when it cannot say is the second asked. */
  stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    return this.#either((store) => store.stat(type, name, signal), signal);
  }

  async *list(type: FileType, signal?: AbortSignal): AsyncGenerator<FileInfo> {
    let listed = false;
    try {
      for await (const file of this.first.list(type, signal)) {
        listed = true;
        yield file;
      }
      return;
    } catch (error) {
      // Two halves of two listings are none.
      if (listed || !isOfStore(error)) throw error;
      this.#onProblem({ kind: "read-from-second", error });
    }
    yield* this.second.list(type, signal);
  }

  async #either<T>(call: (store: RepositoryStore) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await call(this.first);
    } catch (error) {
      if (!isOfStore(error)) throw error;
      let found: T;
      try {
        found = await call(this.second);
      } catch {
        // Neither has it: what the first says of it counts.
        signal?.throwIfAborted();
        throw error;
      }
      this.#onProblem({ kind: "read-from-second", error });
      return found;
    }
  }

  /** While the second is behind, its old indexes need its old packs, so nothing is removed there. */
  async remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    await this.first.remove(type, name, signal);
    if (type === "locks") return;
    await this.#follow(() => this.second.remove(type, name, signal), signal);
  }

  async close(): Promise<void> {
    await this.settle();
    await this.first.close();
    await this.second.close();
  }

  async #onSecond(work: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
    try {
      await work();
    } catch (error) {
      signal?.throwIfAborted();
      this.#fellBehind(error);
    }
  }

  /** Told once until it has caught up. */
  #fellBehind(error: unknown): void {
    this.#misses += 1;
    this.#behind = true;
    if (this.#told) return;
    this.#told = true;
    this.#onProblem({ kind: "behind", error });
  }
}

/** Errors of a store, as against a stopped signal or a mistake of ours. */
function isOfStore(error: unknown): error is AgentError {
  return error instanceof AgentError && error.code.startsWith("store-");
}
