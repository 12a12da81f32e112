import type { ClientRequest } from "node:http";
import type { Socket } from "node:net";
import { freeMemory } from "../../free-memory.ts";

/**
 * Node's HTTP client copies bodies out of what its sockets bring, and leaves that to the garbage collector: a gigabyte of it would be collected every
 * 20 MB, which takes more time than to decrypt it. Here it is freed as soon as the client is through with it.
 */
export class SocketMemory {
  /** Whether the client copies. Not known before the first part of a body. */
  #copies: boolean | undefined;
  readonly #arrived = new WeakSet<ArrayBufferLike>();

  /** Frees what comes for a request. Call it when the request gets its socket: the client reads before us then. */
  follow(request: ClientRequest, socket: Socket): void {
    const free = (piece: Buffer) => {
      if (this.#copies === true) freeMemory(piece);
      else if (this.#copies === undefined) this.#arrived.add(piece.buffer);
    };
    socket.on("data", free);
    // The next request of this connection has a client that reads behind us otherwise.
    request.once("close", () => socket.off("data", free));
  }

  /** A part of a body that came since `follow`. */
  learn(part: Uint8Array): void {
    this.#copies ??= !this.#arrived.has(part.buffer);
  }
}
