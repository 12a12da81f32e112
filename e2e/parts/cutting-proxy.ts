import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";

/** A wire between agents and the Worker that a test can cut. It passes bytes on and reads none of them. */
export class CuttingProxy {
  readonly #target: number;
  readonly #open = new Set<Socket>();
  readonly #server = createServer((near) => this.#join(near));

  private constructor(target: number) {
    this.#target = target;
  }

  static async start(targetUrl: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(Number(new URL(targetUrl).port));
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
    near.pipe(far);
    far.pipe(near);
  }
}
