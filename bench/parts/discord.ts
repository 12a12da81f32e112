import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { WorkerSettings } from "./worker.ts";

/** What the answer to a command holds, as far as measurements read it. */
interface Answer {
  data?: { embeds?: { title?: string; description?: string }[] };
}

/** A signed request, ready to be sent. */
interface Signed {
  method: "POST";
  headers: Record<string, string>;
  body: string;
}

/**
 * The least that plays Discord: it signs commands and takes every message at once. The sandbox checks each body, which is right for tests
 * and too slow beside a measurement in milliseconds.
 */
export class Discord {
  readonly #keys = generateKeyPairSync("ed25519");
  readonly #server = createServer((request, response) => {
    request.resume().on("end", () => response.setHeader("content-type", "application/json").end('{"id":"1"}'));
  });
  readonly applicationId = "100000000000000001";
  readonly guild = "200000000000000002";
  #lastId = BigInt(Date.now()) << 22n;

  static async start(): Promise<Discord> {
    const discord = new Discord();
    discord.#server.listen(0, "127.0.0.1");
    await once(discord.#server, "listening");
    return discord;
  }

  get settings(): WorkerSettings["discord"] {
    const { x = "" } = this.#keys.publicKey.export({ format: "jwk" });
    const { port } = this.#server.address() as AddressInfo;
    return {
      apiUrl: `http://127.0.0.1:${port}`,
      applicationId: this.applicationId,
      publicKey: Buffer.from(x, "base64url").toString("hex"),
      botToken: "no-bot-at-all",
    };
  }

  /** A command such as `backup now`, ready to be sent: signed, as Discord would. */
  command(name: string, options: Record<string, string>): Signed {
    return this.#interaction(
      2,
      name,
      Object.entries(options).map(([key, value]) => ({ name: key, type: 3, value })),
    );
  }

  /** What Discord asks while a member types into an option. */
  completion(name: string, option: string, typed: string): Signed {
    return this.#interaction(4, name, [{ name: option, type: 3, value: typed, focused: true }]);
  }

  #interaction(type: 2 | 4, name: string, values: object[]): Signed {
    this.#lastId += 1n;
    const id = this.#lastId.toString();
    const [word = "", subcommand] = name.split(" ");
    const body = JSON.stringify({
      id,
      application_id: this.applicationId,
      type,
      token: `token-${id}`,
      version: 1,
      guild_id: this.guild,
      channel_id: "300000000000000003",
      // 8 is Discord's bit for administrators. A new member each time: each may do only so much.
      member: { user: { id }, permissions: "8", roles: [] },
      data: { id: "1", name: word, type: 1, options: subcommand === undefined ? values : [{ name: subcommand, type: 1, options: values }] },
    });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signature = sign(null, Buffer.from(timestamp + body), this.#keys.privateKey).toString("hex");
    const headers = { "content-type": "application/json", "x-signature-ed25519": signature, "x-signature-timestamp": timestamp };
    return { method: "POST", headers, body };
  }

  /** Sends a command and answers what it showed. */
  async run(workerUrl: string, name: string, options: Record<string, string>): Promise<string> {
    const response = await fetch(`${workerUrl}/interactions`, this.command(name, options));
    if (!response.ok) throw new Error(`/${name} got ${response.status}: ${await response.text()}`);
    const { data } = (await response.json()) as Answer;
    return `${data?.embeds?.[0]?.title ?? ""}\n${data?.embeds?.[0]?.description ?? ""}`;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
