import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as the stand-in sees it. */
export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
  /** Fires when the client has gone. */
  gone: AbortSignal;
}

export interface Answer {
  status: number;
  json?: unknown;
  body?: Buffer | string;
  headers?: Record<string, string>;
  /** The connection is cut in place of the answer. */
  lost?: boolean;
}

/** A refusal with the body that every refusal of the Worker has. */
export function refused(status: number, code: string, headers?: Record<string, string>): Answer {
  return { status, json: { code, message: `refused: ${code}` }, headers };
}

/** A real HTTP server on loopback that can be stopped and started again on the same port. */
export class FakeHttp {
  readonly #handle: (asked: Asked) => Promise<Answer>;
  #server: Server | undefined;
  #port = 0;
  readonly errors: unknown[] = [];

  constructor(handle: (asked: Asked) => Promise<Answer>) {
    this.#handle = handle;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.errors.push(error);
        response.destroy();
      });
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(this.#port, "127.0.0.1", resolve);
    await promise;
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Drops every connection at once. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      // The client went away in the middle of its body.
      return;
    }
    const answer = await this.#handle({
      method: request.method ?? "GET",
      path: (request.url ?? "/").split("?", 1)[0] ?? "/",
      headers: request.headers,
      body: Buffer.concat(chunks),
      gone: gone.signal,
    });
    if (answer.lost === true) response.destroy();
    if (response.destroyed) return;
    const body = answer.json === undefined ? (answer.body ?? "") : JSON.stringify(answer.json);
    response.writeHead(answer.status, { ...(answer.json === undefined ? {} : { "content-type": "application/json" }), ...answer.headers });
    response.end(body);
  }
}
