import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const TYPES = new Set(["keys", "locks", "snapshots", "index", "data"]);
const VERSION_2 = "application/vnd.x.restic.rest.v2";
/** In milliseconds: a server that says nothing is one that a client has to give up on. */
const SILENCE_MS = 60_000;

/** What goes wrong with a request. `cut`: the connection ends; `cut-late`: it ends after the request was carried out; `short`: it ends in the answer's body. */
export type Fault = { status: number; retryAfter?: string; body?: string } | "cut" | "cut-late" | "short" | "silent";

export interface RestServerOptions {
  /** Only locks can be removed. */
  appendOnly?: boolean;
  /** `user:password`. */
  credentials?: string;
  /** Ranges are not known, the whole file is sent. */
  noRanges?: boolean;
  /** Listings are of version 1 of the protocol: names only. */
  version1?: boolean;
  /** Bytes that fit in all. */
  quota?: number;
}

export interface Seen {
  method: string;
  path: string;
  range?: string;
  authorization?: string;
}

/** A REST server as restic describes it, in memory, with faults on demand. */
export class RestServer {
  readonly files = new Map<string, Buffer>();
  readonly seen: Seen[] = [];
  readonly options: RestServerOptions;
  /** Asked before each request. */
  fault: (seen: Seen) => Fault | undefined = () => undefined;
  #created = false;
  #server: Server | undefined;
  #port = 0;

  constructor(options: RestServerOptions = {}) {
    this.options = options;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(this.#port, "127.0.0.1", resolve);
    await promise;
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://host");
    const path = pathname.slice(1);
    const { range, authorization } = request.headers;
    const seen: Seen = { method: request.method ?? "", path, range, authorization };
    this.seen.push(seen);
    const fault = this.fault(seen);
    if (fault === "cut") return void response.destroy();
    const body = await bodyOf(request);
    if (fault === "silent") return void setTimeout(() => response.destroy(), SILENCE_MS).unref();
    if (typeof fault === "object") {
      response.writeHead(fault.status, fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter });
      return void response.end(fault.body ?? "fault");
    }
    const answer = this.#answer(seen, body, searchParams.get("create") === "true", request.headers.accept ?? "");
    if (fault === "cut-late") return void response.destroy();
    response.writeHead(answer.status, { "content-length": answer.body.length, ...answer.headers });
    if (fault !== "short") return void response.end(seen.method === "HEAD" ? undefined : answer.body);
    response.write(answer.body.subarray(0, Math.floor(answer.body.length / 2)), () => response.destroy());
  }

  #answer(seen: Seen, body: Buffer, create: boolean, accept: string): Answer {
    if (!this.#mayCall(seen)) return plain(401, "Unauthorized");
    const { method, path } = seen;
    if (path === "") return method === "POST" && create ? this.#create() : plain(404);
    const [type = "", name = "", ...more] = path.split("/");
    if (more.length > 0 || (type !== "config" && !TYPES.has(type))) return plain(404);
    if (path === `${type}/`) return method === "GET" ? this.#list(path, accept) : plain(405);
    if (type !== "config" && !/^[0-9a-f]{64}$/.test(name)) return plain(400, "bad name");
    switch (method) {
      case "HEAD":
      case "GET":
        return this.#read(path, seen.range);
      case "POST":
        return this.#write(type, path, name, body);
      case "DELETE":
        if (this.options.appendOnly === true && type !== "locks") return plain(403, "append-only");
        return plain(this.files.delete(path) ? 200 : 404);
      default:
        return plain(405);
    }
  }

  #mayCall({ authorization = "" }: Seen): boolean {
    const { credentials } = this.options;
    if (credentials === undefined) return true;
    const [given, wanted] = [Buffer.from(authorization), Buffer.from(`Basic ${Buffer.from(credentials).toString("base64")}`)];
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }

  #create(): Answer {
    if (this.#created && this.files.has("config")) return plain(403, "there is one");
    this.#created = true;
    return plain(200);
  }

  #list(folder: string, accept: string): Answer {
    const files = [...this.files].filter(([path]) => path.startsWith(folder));
    const infos = files.map(([path, { length }]) => ({ name: path.slice(folder.length), size: length }));
    const version2 = this.options.version1 !== true && accept === VERSION_2;
    const body = Buffer.from(JSON.stringify(version2 ? infos : infos.map(({ name }) => name)));
    return { status: 200, body, headers: { "content-type": version2 ? VERSION_2 : "application/vnd.x.restic.rest.v1" } };
  }

  #read(path: string, range: string | undefined): Answer {
    const bytes = this.files.get(path);
    if (bytes === undefined) return plain(404);
    if (range === undefined || this.options.noRanges === true) return { status: 200, body: bytes };
    const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
    const from = first === "" ? Math.max(0, bytes.length - Number(last)) : Number(first);
    const until = first === "" || last === "" ? bytes.length : Math.min(bytes.length, Number(last) + 1);
    if (from >= bytes.length || until <= from) return plain(416);
    const headers = { "content-range": `bytes ${from}-${until - 1}/${bytes.length}` };
    return { status: 206, body: bytes.subarray(from, until), headers };
  }

  #write(type: string, path: string, name: string, body: Buffer): Answer {
    if (this.files.has(path)) return plain(403, "there is one");
    if (type !== "config" && createHash("sha256").update(body).digest("hex") !== name) return plain(400, "wrong hash");
    const used = [...this.files.values()].reduce((sum, { length }) => sum + length, 0);
    if (used + body.length > (this.options.quota ?? Number.POSITIVE_INFINITY)) return plain(507, "over quota");
    this.files.set(path, body);
    return plain(200);
  }
}

interface Answer {
  status: number;
  body: Buffer;
  headers?: Record<string, string>;
}

function plain(status: number, text = ""): Answer {
  return { status, body: Buffer.from(text) };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
