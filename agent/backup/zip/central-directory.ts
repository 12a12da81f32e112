import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { storeError } from "../stores/file-body.ts";

/** Directories above this size go to a file, in bytes: some 30,000 entries. */
const SPILL_BYTES = 4 * 1024 * 1024;
/** It is read back in pieces of this size, in bytes. */
const PIECE_BYTES = 256 * 1024;

/** The list of entries that an archive ends with, kept aside until then: in memory while it is small, in a file when it is not. */
export class CentralDirectory {
  readonly #spillFile: string;
  readonly #spillBytes: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #file: FileHandle | undefined;
  #spilled = 0;
  #entries = 0;

  /** `spillFile` must not exist yet; its owner removes it. */
  constructor(spillFile: string, spillBytes: number = SPILL_BYTES) {
    this.#spillFile = spillFile;
    this.#spillBytes = spillBytes;
  }

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#spilled + this.#heldBytes;
  }

  /** @throws AgentError `disk-full`, `store-unwritable` when it has to go to a file and cannot. */
  async add(header: Buffer): Promise<void> {
    this.#held.push(header);
    this.#heldBytes += header.length;
    this.#entries += 1;
    if (this.#heldBytes >= this.#spillBytes) await this.#spill();
  }

  /** All of it, in order. */
  async *pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; this.#file !== undefined && at < this.#spilled; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, this.#spilled - at));
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw new Error(`${this.#spillFile} has become shorter`);
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
    if (this.#heldBytes > 0) yield Buffer.concat(this.#held);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #spill(): Promise<void> {
    try {
      this.#file ??= await open(this.#spillFile, "wx+", 0o600);
      const bytes = Buffer.concat(this.#held);
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, this.#spilled + at);
        at += bytesWritten;
      }
      this.#spilled += bytes.length;
    } catch (error) {
      throw storeError(error, dirname(this.#spillFile));
    }
    this.#held = [];
    this.#heldBytes = 0;
  }
}
