import { Writable } from "node:stream";
import { PART_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX, type UploadedPart } from "../../../schemas/index.ts";
import { AgentError } from "../../errors.ts";

/** So many parts are on their way at the same time; one more is being filled. */
export const PARTS_IN_FLIGHT = 3;
/** The archive may come out larger than the source was counted: files grow, and some are archived twice (zip-run.ts). */
const HEADROOM = 2;
const MEBIBYTE = 1024 * 1024;

/** The part size by which an archive of a source of this size fits into the parts there may be, in bytes. */
export function partBytesFor(expectedBytes: number): number {
  const needed = Math.ceil((expectedBytes * HEADROOM) / PARTS_MAX / MEBIBYTE) * MEBIBYTE;
  return Math.min(PART_BYTES_MAX, Math.max(PART_BYTES_MIN, needed));
}

export type SendPart = (number: number, bytes: Uint8Array<ArrayBuffer>) => Promise<UploadedPart>;

/**
 * Cuts a stream into equal parts and sends several at a time. Memory: the part size times PARTS_IN_FLIGHT + 1. The first part that
 * cannot be sent ends the stream with its error.
 */
export class PartsBody extends Writable {
  readonly #send: SendPart;
  readonly #partBytes: number;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #sent: UploadedPart[] = [];
  /** Buffers that are free again. */
  readonly #spare: Buffer<ArrayBuffer>[] = [];
  #filling: Buffer<ArrayBuffer> | undefined;
  #filled = 0;
  #started = 0;

  constructor(partBytes: number, send: SendPart) {
    super();
    this.#partBytes = partBytes;
    this.#send = send;
  }

  /** In order; complete once the stream has finished. */
  get parts(): UploadedPart[] {
    return this.#sent.toSorted((a, b) => a.partNumber - b.partNumber);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#take(chunk).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    const rest = this.#filled > 0 ? this.#start() : Promise.resolve();
    rest.then(() => Promise.all(this.#inFlight)).then(() => done(), done);
  }

  async #take(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      this.#filling ??= this.#spare.pop() ?? Buffer.from(new ArrayBuffer(this.#partBytes));
      const taken = chunk.copy(this.#filling, this.#filled, at);
      at += taken;
      this.#filled += taken;
      if (this.#filled === this.#partBytes) await this.#start();
    }
  }

  /** Sends what is filled, as soon as there is a place. */
  async #start(): Promise<void> {
    const buffer = this.#filling;
    if (buffer === undefined) return;
    while (this.#inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(this.#inFlight);
    this.#started += 1;
    if (this.#started > PARTS_MAX) {
      const text = `The archive is larger than ${PARTS_MAX} parts of ${this.#partBytes} bytes, which is the most that R2 takes. Leave something out with exclude globs, or split the server's folder.`;
      throw new AgentError("archive-too-large", text);
    }
    // The first part that failed has destroyed the stream: nothing more is sent.
    if (this.destroyed) throw new Error("the upload has ended");
    const sending = this.#sendOne(this.#started, buffer, buffer.subarray(0, this.#filled)).finally(() => this.#inFlight.delete(sending));
    this.#inFlight.add(sending);
    this.#filling = undefined;
    this.#filled = 0;
  }

  async #sendOne(number: number, buffer: Buffer<ArrayBuffer>, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      this.#sent.push(await this.#send(number, bytes));
      this.#spare.push(buffer);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
