import { createConnection, type Socket } from "node:net";
import type { ConsoleTarget } from "./console.ts";
import { consoleError } from "./console.ts";

/** More than this is never kept of what a console sent and nobody has read yet, in bytes. */
export const REPLY_BYTES_MAX = 4 * 1024 * 1024;

/** Reads one packet off the start of `bytes`: what it holds and its length in all, or null when it is not complete. Throws a text for nonsense. */
export type Frame<T> = (bytes: Buffer) => { packet: T; length: number } | null;

/** Nonsense in a stream, in words. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/**
 * Packets over TCP, however the network cuts and joins them. For one reader at a time.
 */
export class Packets<T> {
  readonly #socket: Socket;
  readonly #target: ConsoleTarget;
  readonly #frame: Frame<T>;
  #pieces: Buffer[] = [];
  #bytes = 0;
  readonly #ready: T[] = [];
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket, target: ConsoleTarget, frame: Frame<T>) {
    this.#socket = socket;
    this.#target = target;
    this.#frame = frame;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => this.#fail(consoleError.lost(target, `(${error.message})`)));
    socket.on("close", () => this.#fail(consoleError.lost(target, "before it had answered")));
  }

  /** @throws AgentError `console-unreachable`; the signal's reason. */
  static async connect<T>(target: ConsoleTarget, frame: Frame<T>, signal: AbortSignal): Promise<Packets<T>> {
    signal.throwIfAborted();
    const socket = createConnection({ host: target.address, port: target.port });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    const onError = (error: Error) => reject(consoleError.unreachable(target, errorWord(error), error));
    socket.once("connect", resolve);
    socket.once("error", onError);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
      return new Packets(socket, target, frame);
    } catch (error) {
      socket.on("error", () => undefined);
      socket.destroy();
      throw error;
    } finally {
      socket.off("error", onError);
      signal.removeEventListener("abort", onAbort);
    }
  }

  get open(): boolean {
    return this.#failure === undefined;
  }

  write(bytes: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#socket.write(bytes);
  }

  /**
   * The next packet. With `idleMs`, undefined when none came within that time.
   * @throws AgentError `console-lost`, `console-odd-answer`; the signal's reason.
   */
  async next(signal: AbortSignal, idleMs?: number): Promise<T | undefined> {
    const idle = { over: false };
    const timer =
      idleMs === undefined
        ? undefined
        : setTimeout(() => {
            idle.over = true;
            this.#wake?.();
          }, idleMs);
    const onAbort = () => this.#wake?.();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (;;) {
        // What came before the connection ended is still worth reading.
        const packet = this.#ready.shift();
        if (packet !== undefined) return packet;
        signal.throwIfAborted();
        if (this.#failure !== undefined) throw this.#failure;
        if (idle.over) return undefined;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#wake = undefined;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  close(): void {
    this.#fail(consoleError.lost(this.#target, "since it was closed here"));
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    if (this.#failure !== undefined) return;
    this.#pieces.push(chunk);
    this.#bytes += chunk.length;
    try {
      this.#cut();
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#fail(consoleError.odd(this.#target, error.message));
      this.#socket.destroy();
    }
    this.#wake?.();
  }

  #cut(): void {
    let bytes = this.#pieces.length === 1 ? (this.#pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#pieces);
    for (let next = this.#frame(bytes); next !== null; next = this.#frame(bytes)) {
      this.#ready.push(next.packet);
      bytes = bytes.subarray(next.length);
    }
    this.#pieces = bytes.length === 0 ? [] : [bytes];
    this.#bytes = bytes.length;
    if (this.#bytes > REPLY_BYTES_MAX || this.#ready.length > READY_MAX) throw new FrameError("it never stops sending");
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}

/** Packets that nobody has read yet: a console that pushes its log must not fill the memory between two commands. */
const READY_MAX = 10_000;

function errorWord(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
