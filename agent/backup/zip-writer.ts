import { createHash } from "node:crypto";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { CentralDirectory } from "./zip/central-directory.ts";
import { centralHeader, endRecords, type Streamed, type ZipContent, type ZipItem } from "./zip/format.ts";

/** An entry that was appended. */
export interface ZipEntry {
  item: ZipItem;
  content: ZipContent;
  /** Where it begins in the archive. */
  offset: number;
  streamed?: Streamed;
}

export interface ZipWriterOptions {
  signal: AbortSignal;
  /** Where a large directory is kept until the end. Must not exist yet; its owner removes it. */
  spillFile: string;
}

/** Pieces below this size are gathered into writes of about this size, in bytes. */
const GATHER_BYTES = 256 * 1024;

/**
 * The bytes of a zip archive on their way into `sink`, and the list of its entries. Each call waits until the sink has taken what it was
 * given. When the signal fires, or the sink fails, every call rejects, and the sink is destroyed. One call at a time.
 *
 * An entry that was appended and never listed stays in the archive as a gap, which readers skip, since they go by the directory.
 */
export class ZipWriter {
  readonly #sink: Writable;
  readonly #directory: CentralDirectory;
  readonly #signal: AbortSignal;
  readonly #hash = createHash("sha256");
  readonly #flow: Promise<void>;
  readonly #gathered = Buffer.allocUnsafeSlow(GATHER_BYTES);
  #gatheredBytes = 0;
  #offset = 0;
  #failure: { error: unknown } | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(sink: Writable, { signal, spillFile }: ZipWriterOptions) {
    this.#sink = sink;
    this.#signal = signal;
    this.#directory = new CentralDirectory(spillFile);
    this.#flow = finished(sink);
    this.#flow.catch((error: unknown) => this.#fail(error));
    signal.addEventListener("abort", this.#abort, { once: true });
    if (signal.aborted) this.#abort();
  }

  /** How many bytes were appended. */
  get offset(): number {
    return this.#offset;
  }

  /** Appends bytes. When this resolves, their memory may be used for something else. */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#offset += bytes.length;
    if (this.#gatheredBytes + bytes.length > GATHER_BYTES) await this.#flush();
    if (bytes.length >= GATHER_BYTES) return this.#write(bytes);
    this.#gathered.set(bytes, this.#gatheredBytes);
    this.#gatheredBytes += bytes.length;
  }

  /** Puts an entry into the directory. */
  async list({ item, content, offset, streamed }: ZipEntry): Promise<void> {
    await this.#directory.add(centralHeader(item, content, offset, streamed));
  }

  /** Writes the directory and resolves when the sink has taken everything: size and SHA-256 (hex) of the archive. */
  async finish(): Promise<{ bytes: number; sha256: string }> {
    const { entries, bytes } = this.#directory;
    const offset = this.#offset;
    for await (const piece of this.#directory.pieces()) await this.append(piece);
    await this.append(endRecords({ entries, bytes, offset }));
    await this.#flush();
    this.#sink.end();
    await this.#flow;
    await this.#release();
    return { bytes: this.#offset, sha256: this.#hash.digest("hex") };
  }

  /** Stops at once; what the sink has got so far is of no use. Resolves when nothing flows any more. */
  async destroy(): Promise<void> {
    this.#sink.destroy();
    await this.#flow.catch(() => undefined);
    await this.#release();
  }

  async #flush(): Promise<void> {
    if (this.#gatheredBytes === 0) return;
    const bytes = this.#gathered.subarray(0, this.#gatheredBytes);
    this.#gatheredBytes = 0;
    await this.#write(bytes);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await new Promise<void>((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure.error);
      this.#reject = reject;
      // After an error the sink ends, and `#fail` gets the first cause; this callback may only be told that the sink was destroyed.
      this.#sink.write(bytes, (error) => {
        if (!error) resolve();
      });
    });
    this.#reject = undefined;
  }

  readonly #abort = (): void => {
    const { reason } = this.#signal;
    this.#sink.destroy(reason instanceof Error ? reason : new Error(String(reason)));
  };

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#reject?.(error);
  }

  async #release(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#abort);
    await this.#directory.close();
  }
}
