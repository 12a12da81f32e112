import { constants, createZstdCompress, createZstdDecompress, type ZstdCompress, type ZstdDecompress, type ZstdOptions } from "node:zlib";

/**
 * Major versions of Node whose streams are inside as it is expected here: the tests ran on them. With others every frame gets a context of its own from
 * Node's documented functions.
 */
const KNOWN_NODE_MAJORS = [22, 24, 26];

/** What Node's zlib streams are inside. */
interface Inside {
  _handle?: {
    writeSync?: (flush: number, from: Uint8Array, fromAt: number, fromBytes: number, to: Uint8Array, toAt: number, toBytes: number) => void;
  };
  /** After a call: what is left of the room, and what of the input, in bytes. */
  _writeState?: Uint32Array;
}

/**
 * A zstd context that is kept from frame to frame. zlib's functions make and clear one for each call, which takes 15 to 50 µs: more than all else that
 * is done with a small file.
 */
export class ZstdStream {
  readonly #make: () => ZstdCompress | ZstdDecompress;
  readonly #known: boolean;
  #stream: ZstdCompress | ZstdDecompress | undefined;

  private constructor(make: () => ZstdCompress | ZstdDecompress, nodeVersion: string) {
    this.#make = make;
    this.#known = KNOWN_NODE_MAJORS.includes(Number.parseInt(nodeVersion, 10));
  }

  static compressor(params: ZstdOptions["params"], nodeVersion: string = process.versions.node): ZstdStream {
    return new ZstdStream(() => createZstdCompress({ params }), nodeVersion);
  }

  static decompressor(nodeVersion: string = process.versions.node): ZstdStream {
    return new ZstdStream(() => createZstdDecompress(), nodeVersion);
  }

  /** Compresses or unpacks one whole frame. Answers the bytes written, or null when it cannot be done here: zlib's functions can, or tell why not. */
  frame(from: Uint8Array, to: Uint8Array): number | null {
    if (!this.#known) return null;
    // Errors are seen below; without a listener they would end the process.
    this.#stream ??= this.#make().on("error", () => undefined);
    const { _handle: handle, _writeState: state } = this.#stream as Inside;
    if (typeof handle?.writeSync !== "function" || state === undefined) return null;
    handle.writeSync(constants.ZSTD_e_end, from, 0, from.length, to, 0, to.length);
    const [room = 0, left = 0] = state;
    if (!this.#stream.destroyed && left === 0) return to.length - room;
    this.forget();
    return null;
  }

  /** The next frame gets a new context: nothing of an earlier one can get into it. */
  forget(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
  }
}
