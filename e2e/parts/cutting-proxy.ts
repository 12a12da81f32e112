import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";
import { Transform } from "node:stream";

/** A wire between agents and the Worker that a test can cut. It passes bytes on and reads none of them. */
export class CuttingProxy {
  readonly #target: number;
  readonly #open = new Set<Socket>();
  readonly #server = createServer((near) => this.#join(near));
  readonly #bytesPerMs: number;
  /** When all that was let in so far is passed on. */
  #busyUntil = 0;

  private constructor(target: number, bytesPerSecond: number) {
    this.#target = target;
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** @param bytesPerSecond What all agents together can send, at most. */
  static async start(targetUrl: string, bytesPerSecond = Number.POSITIVE_INFINITY): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(Number(new URL(targetUrl).port), bytesPerSecond);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** What agents take for the Worker's address. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts each open connection with this probability, in the middle of whatever it carries. Answers how many. */
  cut(share: number, random: () => number): number {
    let cut = 0;
    for (const socket of [...this.#open]) {
      if (random() >= share) continue;
      socket.resetAndDestroy();
      cut += 1;
    }
    return cut;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  #join(near: Socket): void {
    const far = connect(this.#target, "127.0.0.1");
    this.#open.add(near);
    const end = () => {
      this.#open.delete(near);
      near.destroy();
      far.destroy();
    };
    // A cut end shows as an error or a close at the other; both come to the same.
    near.on("error", end).on("close", end);
    far.on("error", end).on("close", end);
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) near.pipe(far);
    else near.pipe(this.#slowly()).pipe(far);
    far.pipe(near);
  }

  #slowly(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        const now = performance.now();
        this.#busyUntil = Math.max(now, this.#busyUntil) + chunk.length / this.#bytesPerMs;
        setTimeout(done, this.#busyUntil - now, null, chunk);
      },
    });
  }
}
