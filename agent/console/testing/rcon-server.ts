import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** How a stand-in misbehaves. All can be changed while it runs. */
export interface RconFaults {
  /** All packets of a reply go out in one write, with those of a login too. */
  coalesce?: boolean;
  /** Everything goes out in pieces of so many bytes, */
  splitBytes?: number;
  /** with so many milliseconds between. */
  splitPauseMs?: number;
  /** Commands are carried out and never answered. */
  silent?: boolean;
  /** Logins are not answered. */
  silentLogin?: boolean;
  /** The connection ends when a command comes, before it is carried out; or when half of its reply is out. */
  drop?: "before" | "half";
  /** An answer to the login that is a plain reply with the right id comes first, or alone. */
  login?: "reply-first" | "reply-only";
  /** Packets that belong to nothing come before each reply. */
  noise?: boolean;
  /** This goes out in place of a reply. */
  garbage?: Buffer;
}

export interface RconServerOptions {
  password: string;
  /**
   * `source` echoes an empty packet of type 0, as Valve's servers do, with a second one behind it. `minecraft` cuts replies into parts of 4,096 bytes
   * and answers unknown types with a text. `factorio` never answers an empty command.
   */
  kind: "source" | "minecraft" | "factorio";
  /** What a command answers. */
  run: (command: string) => string | Promise<string>;
  port?: number;
}

const PART_BYTES = { source: 4000, minecraft: 4096, factorio: Number.MAX_SAFE_INTEGER };

/** A server that speaks Source RCON, with its own reading and writing of packets, so that it shares no mistake with the client. */
export class RconServer {
  readonly faults: RconFaults = {};
  /** Every command that was carried out. */
  readonly commands: string[] = [];
  logins = 0;
  #options: RconServerOptions;
  #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Commands at work at the same time: never more than one, when the client sends one after another. */
  atOnceMax = 0;
  #atWork = 0;

  private constructor(options: RconServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => void this.#serve(socket));
  }

  static async start(options: RconServerOptions): Promise<RconServer> {
    const server = new RconServer(options);
    server.#server.listen(options.port ?? 0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the stand-in does not listen");
    return address.port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  set run(run: RconServerOptions["run"]) {
    this.#options = { ...this.#options, run };
  }

  /** Ends all connections; new ones are taken. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.hangUp();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => undefined);
    let rest = Buffer.alloc(0);
    let loggedIn = false;
    let turn: Promise<void> = Promise.resolve();
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32LE(0)) {
        const end = 4 + rest.readInt32LE(0);
        const [id, type] = [rest.readInt32LE(4), rest.readInt32LE(8)];
        const text = rest.toString("utf8", 12, end - 2);
        rest = rest.subarray(end);
        turn = turn.then(async () => {
          if (type === 3) loggedIn = await this.#login(socket, id, text);
          else if (!loggedIn) await this.#write(socket, [encode(-1, 2, "")]);
          else await this.#answer(socket, id, type, text);
        });
      }
    });
  }

  async #login(socket: Socket, id: number, password: string): Promise<boolean> {
    this.logins += 1;
    const right = password === this.#options.password;
    if (this.faults.silentLogin) return false;
    const answer = encode(right ? id : -1, 2, "");
    if (this.faults.login === "reply-only") await this.#write(socket, [encode(id, 0, "")]);
    else if (this.faults.login === "reply-first" || this.#options.kind === "source") await this.#write(socket, [encode(id, 0, ""), answer]);
    else await this.#write(socket, [answer]);
    return right;
  }

  async #answer(socket: Socket, id: number, type: number, text: string): Promise<void> {
    const { kind, run } = this.#options;
    const { drop, silent, noise, garbage } = this.faults;
    if (type === 0) {
      if (kind === "source" && !silent) await this.#write(socket, [encode(id, 0, ""), encode(id, 0, Buffer.of(0, 1, 0, 0))]);
      if (kind === "minecraft") await this.#write(socket, [encode(id, 0, `Unknown request ${type}`)]);
      return;
    }
    if (text === "" && kind === "factorio") return;
    if (drop === "before") return void socket.destroy();
    this.commands.push(text);
    this.#atWork += 1;
    this.atOnceMax = Math.max(this.atOnceMax, this.#atWork);
    const reply = Buffer.from(await run(text));
    this.#atWork -= 1;
    if (silent) return;
    if (garbage !== undefined) return void socket.write(garbage);
    const packets = noise ? [encode(id - 2, 0, "late"), encode(77_777, 0, "stray")] : [];
    for (let at = 0; at === 0 || at < reply.length; at += PART_BYTES[kind])
      packets.push(encode(id, 0, reply.subarray(at, at + PART_BYTES[kind])));
    if (drop === "half") {
      const all = Buffer.concat(packets);
      socket.end(all.subarray(0, Math.floor(all.length / 2)));
      return;
    }
    await this.#write(socket, packets);
  }

  async #write(socket: Socket, packets: Buffer[]): Promise<void> {
    const { coalesce, splitBytes, splitPauseMs = 1 } = this.faults;
    for (const bytes of coalesce || splitBytes !== undefined ? [Buffer.concat(packets)] : packets) {
      if (splitBytes === undefined) {
        socket.write(bytes);
        // Apart from the next one, as far as the network lets it.
        if (!coalesce) await delay(1);
        continue;
      }
      for (let at = 0; at < bytes.length; at += splitBytes) {
        socket.write(bytes.subarray(at, at + splitBytes));
        await delay(splitPauseMs);
      }
    }
  }
}

function encode(id: number, type: number, text: string | Buffer): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(12);
  head.writeInt32LE(body.length + 10, 0);
  head.writeInt32LE(id, 4);
  head.writeInt32LE(type, 8);
  return Buffer.concat([head, body, Buffer.alloc(2)]);
}
