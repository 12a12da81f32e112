import { AgentError } from "../../../../errors.ts";
import { checkName } from "../names.ts";
import { resolveRange } from "../ranges.ts";
import { type ByteRange, FILE_TYPES, type FileInfo, type FileType, type RepositoryStore } from "../store.ts";

/** What a memory store is asked to do, before it does it. */
export interface MemoryCall {
  call: "create" | "read" | "write" | "stat" | "list" | "remove";
  type?: FileType;
  name?: string;
}

/** A store in memory that keeps all promises of one. Several may share their files, as several clients share a place. */
export class MemoryStore implements RepositoryStore {
  readonly place: string;
  readonly parallel = 4;
  readonly files: Map<FileType, Map<string, Buffer>>;
  readonly calls: MemoryCall[] = [];
  /** Runs before each call. What it throws is the call's error. */
  before: (call: MemoryCall) => Promise<void> | void = () => undefined;

  constructor(place = "memory", files = new Map(FILE_TYPES.map((type) => [type, new Map<string, Buffer>()]))) {
    this.place = place;
    this.files = files;
  }

  get fileCount(): number {
    return [...this.files.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async create(signal?: AbortSignal): Promise<void> {
    await this.#begin({ call: "create" }, signal);
  }

  async read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer> {
    await this.#begin({ call: "read", type, name }, signal);
    const bytes = this.#of(type).get(name);
    if (bytes === undefined) throw new AgentError("store-file-missing", `There is no ${type}/${name} at ${this.place}.`);
    const { offset, length } = resolveRange(range, bytes.length, `${type}/${name}`);
    return Buffer.from(bytes.subarray(offset, offset + length));
  }

  async write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#begin({ call: "write", type, name }, signal);
    const there = this.#of(type).get(name);
    if (there !== undefined && type === "config") throw new AgentError("store-refused", `There is a repository at ${this.place} already.`);
    if (there?.length !== bytes.length) this.#of(type).set(name, Buffer.from(bytes));
  }

  async stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    await this.#begin({ call: "stat", type, name }, signal);
    const bytes = this.#of(type).get(name);
    return bytes === undefined ? null : { name, bytes: bytes.length };
  }

  async *list(type: FileType, signal?: AbortSignal): AsyncGenerator<FileInfo> {
    await this.#begin({ call: "list", type }, signal);
    for (const [name, { length }] of [...this.#of(type)]) {
      signal?.throwIfAborted();
      yield { name, bytes: length };
    }
  }

  async remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    await this.#begin({ call: "remove", type, name }, signal);
    this.#of(type).delete(name);
  }

  async close(): Promise<void> {
    // Nothing is open.
  }

  async #begin(call: MemoryCall, signal: AbortSignal | undefined): Promise<void> {
    if (call.type !== undefined && call.name !== undefined) checkName(call.type, call.name);
    signal?.throwIfAborted();
    this.calls.push(call);
    await this.before(call);
    signal?.throwIfAborted();
  }

  #of(type: FileType): Map<string, Buffer> {
    return this.files.get(type) ?? new Map();
  }
}
