import type { Pace } from "./pace.ts";
import type { ByteRange, FileInfo, FileType, RepositoryStore } from "./store.ts";

export interface Bandwidth {
  upload?: Pace;
  download?: Pace;
}

/**
 * Keeps a store that knows nothing of bandwidth within one. A file goes through as a whole, after its bytes were waited for, so that the mean is
 * kept and a single pack is not; stores that send over HTTP keep the pace themselves, piece by piece.
 */
export class ThrottledStore implements RepositoryStore {
  readonly place: string;
  readonly folder?: string;
  readonly parallel: number;
  readonly #inner: RepositoryStore;
  readonly #bandwidth: Bandwidth;

  constructor(inner: RepositoryStore, bandwidth: Bandwidth) {
    this.place = inner.place;
    if (inner.folder !== undefined) this.folder = inner.folder;
    this.parallel = inner.parallel;
    this.#inner = inner;
    this.#bandwidth = bandwidth;
  }

  create(signal?: AbortSignal): Promise<void> {
    return this.#inner.create(signal);
  }

  async read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal, memory?: Uint8Array): Promise<Buffer> {
    const bytes = await this.#inner.read(type, name, range, signal, memory);
    await this.#bandwidth.download?.(bytes.length, signal);
    return bytes;
  }

  async write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#bandwidth.upload?.(bytes.length, signal);
    await this.#inner.write(type, name, bytes, signal);
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
