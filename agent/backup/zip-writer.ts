import { createHash } from "node:crypto";
import { Readable, Transform, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ZipArchive } from "archiver";
import { takeHold, type ZipEntryRecord, type ZipInternals } from "./zip-internals.ts";

export interface ZipItem {
  /** As the file is called, with `/`, whatever else stands in it. */
  path: string;
  /** Milliseconds since the epoch. */
  mtime: number;
  /** Permission bits. */
  mode: number;
}

/** Deflate gives its output in pieces of this size, in bytes. */
const DEFLATE_CHUNK_BYTES = 64 * 1024;

/** A zip archive on its way into `sink`: entries are appended one after the other, and each call waits until there is room for more. */
export class ZipWriter {
  readonly #archive: ZipArchive;
  readonly #internals: ZipInternals;
  readonly #hash = createHash("sha256");
  readonly #flow: Promise<void>;
  #bytes = 0;
  #failure: { error: unknown } | undefined;
  #reject: ((error: unknown) => void) | undefined;

  /** `level` is deflate's, 0 to 9. When the signal fires, or the sink fails, every call rejects. */
  constructor(sink: Writable, { level, signal }: { level: number; signal: AbortSignal }) {
    this.#archive = new ZipArchive({ zlib: { level, chunkSize: DEFLATE_CHUNK_BYTES } });
    this.#internals = takeHold(this.#archive);
    const tap = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#hash.update(chunk);
        this.#bytes += chunk.length;
        done(null, chunk);
      },
    });
    this.#flow = pipeline(this.#archive, tap, sink, { signal });
    this.#flow.catch((error: unknown) => this.#fail(error));
    this.#archive.on("warning", (error) => this.#fail(error));
  }

  /** Appends a file. `store` leaves it uncompressed. */
  async file(item: ZipItem, content: Buffer | AsyncIterable<Buffer>, { store }: { store: boolean }): Promise<ZipEntryRecord> {
    if (Buffer.isBuffer(content)) return this.#append(item, "file", content, { store });
    const source = Readable.from(content, { objectMode: false });
    // archiver does not listen to its sources.
    source.once("error", (error) => this.#fail(error));
    try {
      return await this.#append(item, "file", source, { store });
    } finally {
      // When the archive has failed nobody reads on: the source is told, so that it closes its file.
      source.destroy();
    }
  }

  async directory(item: ZipItem): Promise<void> {
    await this.#append({ ...item, path: `${item.path}/` }, "directory", Buffer.alloc(0), {});
  }

  async symlink(item: ZipItem, target: string): Promise<void> {
    await this.#append(item, "symlink", Buffer.alloc(0), { linkname: target });
  }

  /** Takes an entry out of the directory, since a newer copy was appended. */
  drop(entry: ZipEntryRecord): void {
    this.#internals.drop(entry);
  }

  /** Writes the directory and resolves when the sink has taken everything: size and SHA-256 (hex) of the archive. */
  async finish(): Promise<{ bytes: number; sha256: string }> {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#archive.finalize().catch((error: unknown) => this.#fail(error));
    await this.#flow;
    return { bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  /** Resolves when nothing flows any more, whether it ended well or not. */
  async settled(): Promise<void> {
    await this.#flow.catch(() => undefined);
  }

  /** Stops at once; what the sink has got so far is of no use. */
  async destroy(): Promise<void> {
    this.#archive.destroy(new Error("the archive was given up"));
    await this.settled();
  }

  async #append(
    item: ZipItem,
    type: "file" | "directory" | "symlink",
    source: Buffer | Readable,
    options: { store?: boolean; linkname?: string },
  ): Promise<ZipEntryRecord> {
    await this.#unlessFailed(
      () =>
        new Promise<void>((resolve) => {
          this.#internals.prepare(item.path, item.mtime);
          this.#archive.once("entry", () => resolve());
          // The name only has to be one that archiver leaves alone: the real one is set by `prepare`.
          const data = { ...options, name: type === "directory" ? "entry/" : "entry", type, date: new Date(item.mtime), mode: item.mode };
          this.#archive.append(source, data);
        }),
    );
    const record = this.#internals.current();
    await this.#unlessFailed(() => this.#internals.drained());
    return record;
  }

  /** Waits for something that never comes when the archive has failed. One call at a time. */
  async #unlessFailed(work: () => Promise<void>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure.error);
      this.#reject = reject;
      work().then(resolve, reject);
    });
    this.#reject = undefined;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#reject?.(error);
    this.#archive.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}
