import type { ByteRange, FileInfo, FileType, RepositoryStore } from "../backup/repository/stores/store.ts";
import type { Clock } from "../clock.ts";
import type { Lock } from "../state/lock.ts";

/** How often it is looked whether the server is backed up or restored right now, in milliseconds. Asking takes the lock for a moment. */
const LOOK_EVERY_MS = 5000;

/** Holds a verification still while somebody backs the server up or restores it: that goes first. */
export class Gate {
  readonly #lock: () => Lock | undefined;
  readonly #clock: Clock;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #waiting: Promise<void> | undefined;

  constructor(lock: () => Lock | undefined, clock: Clock) {
    this.#lock = lock;
    this.#clock = clock;
  }

  /** Nobody holds the server's lock now. */
  get isFree(): boolean {
    const lock = this.#lock();
    lock?.release();
    return lock !== undefined;
  }

  /** Resolves when the way is free, as far as was seen within the last seconds. Rejects when the signal fires first. */
  async pass(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const since = this.#clock.now() - this.#lookedAt;
    if (this.#waiting === undefined && since >= 0 && since < LOOK_EVERY_MS) return;
    this.#waiting ??= this.#untilFree(signal).finally(() => {
      this.#waiting = undefined;
    });
    await this.#waiting;
  }

  async #untilFree(signal: AbortSignal): Promise<void> {
    while (!this.isFree) await this.#clock.sleep(LOOK_EVERY_MS, signal);
    this.#lookedAt = this.#clock.now();
  }
}

/** A store in which every read waits at the gate. Files are read through it alone, so that nobody goes around it. */
export class GatedStore implements RepositoryStore {
  readonly place: string;
  readonly folder?: string;
  readonly parallel: number;
  readonly #inner: RepositoryStore;
  readonly #gate: Gate;
  readonly #signal: AbortSignal;

  constructor(inner: RepositoryStore, gate: Gate, signal: AbortSignal) {
    this.place = inner.place;
    if (inner.folder !== undefined) this.folder = inner.folder;
    this.parallel = inner.parallel;
    this.#inner = inner;
    this.#gate = gate;
    this.#signal = signal;
  }

  create(signal?: AbortSignal): Promise<void> {
    return this.#inner.create(signal);
  }

  async read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal, memory?: Uint8Array): Promise<Buffer> {
    // Locks are kept fresh whatever happens.
    if (type === "data") await this.#gate.pass(this.#signal);
    return this.#inner.read(type, name, range, signal, memory);
  }

  write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#inner.write(type, name, bytes, signal);
  }

  stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    return this.#inner.stat(type, name, signal);
  }

  list(type: FileType, signal?: AbortSignal): AsyncIterable<FileInfo> {
    return this.#inner.list(type, signal);
  }

  remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    return this.#inner.remove(type, name, signal);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
