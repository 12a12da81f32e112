import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  BODY_SHA256_HEADER,
  beginUploadRequest,
  type CompleteUploadRequest,
  completeUploadRequest,
  type KeptArchive,
  newId,
  PARTS_MAX,
} from "../../../schemas/index.ts";
import type { ControlPlane } from "../../control-plane/control-plane.ts";
import { AgentError } from "../../errors.ts";

/** How a request goes wrong. `lost` acts on it and then drops the connection; `dropped` drops it before. */
export type Fault = "lost" | "dropped" | "cut" | { status: number; code?: string; retryAfter?: string };

interface Upload {
  server: string;
  name: string;
  partBytes: number;
  job?: { id: string; lease: string };
  parts: Map<number, Buffer>;
  manifest?: Buffer;
  state: "open" | "completed" | "removed";
}

class Refused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string) {
    super(code);
    this.status = status;
    this.code = code;
  }
}

/** The archive routes of schemas/archives.ts over real HTTP, with faults on demand. */
export class ArchiveServer {
  readonly uploads = new Map<string, Upload>();
  /** Complete archives by name. */
  readonly archives = new Map<string, { archive: Buffer; manifest: Buffer }>();
  readonly requests: string[] = [];
  /** Decides what goes wrong; `count` is the number of the request, from 1. */
  fault: (request: string, count: number) => Fault | undefined = () => undefined;
  staleLease: string | undefined;
  /** What is kept of a server, and how many fit on a page of its list. */
  kept: { server: string; archives: KeptArchive[]; perPage: number } | undefined;
  mostAtOnce = 0;
  #atOnce = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
    });
  }

  static async start(): Promise<ArchiveServer> {
    const server = new ArchiveServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** As the real one: no retries, and no answer is `control-plane-unreachable`. */
  controlPlane(): ControlPlane {
    const { port } = this.#server.address() as AddressInfo;
    return {
      send: async ({ method, path, json, body, headers, signal, timeoutMs }) => {
        const timeout = AbortSignal.timeout(timeoutMs);
        try {
          return await fetch(`http://127.0.0.1:${port}${path}`, {
            method,
            headers: { ...headers, ...(json === undefined ? {} : { "content-type": "application/json" }) },
            body: json === undefined ? body : JSON.stringify(json),
            signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
          });
        } catch (error) {
          if (signal?.aborted) throw error;
          throw new AgentError("control-plane-unreachable", "The Worker did not answer.", { cause: error });
        }
      },
    };
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url}`;
    this.requests.push(line);
    const fault = this.fault(line, this.requests.length);
    const chunks: Buffer[] = [];
    this.#atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      if (fault === "dropped") return void response.destroy();
      if (typeof fault === "object")
        return answer(response, fault.status, fault.code && { code: fault.code, message: "No." }, fault.retryAfter);
      let status = 200;
      let body: unknown;
      try {
        body = this.#act(line, Buffer.concat(chunks), request);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        status = error.status;
        body = { code: error.code, message: "The Worker says no." };
      }
      if (fault === "lost") return void response.destroy();
      if (fault === "cut") {
        response.writeHead(200, { "content-length": "1000" });
        response.write('{"part');
        return void setImmediate(() => response.destroy());
      }
      answer(response, status, body);
    } finally {
      this.#atOnce -= 1;
    }
  }

  #act(line: string, body: Buffer, request: IncomingMessage): unknown {
    if (line.startsWith("GET /v1/archives?")) return this.#list(new URL(line.slice("GET ".length), "http://worker").searchParams);
    if (line === "POST /v1/archives") return this.#begin(JSON.parse(body.toString()));
    const match = /^(\w+) \/v1\/archives\/(upload_[0-9a-z]{16})(?:\/(manifest|complete|parts)(?:\/(\d+))?)?$/.exec(line);
    if (match === null) throw new Refused(404, "not-found");
    const [, method = "", id = "", what, number = ""] = match;
    const upload = this.uploads.get(id);
    if (upload === undefined) throw new Refused(404, "upload-unknown");
    if (method === "DELETE") return this.#remove(upload);
    if (what === "complete") return this.#complete(upload, completeUploadRequest.parse(JSON.parse(body.toString())));
    if (upload.state !== "open") throw new Refused(409, "upload-closed");
    this.#checkLease(upload);
    if (request.headers[BODY_SHA256_HEADER] !== hashOf(body)) throw new Refused(422, "hash-mismatch");
    if (what === "manifest") {
      upload.manifest = body;
      return {};
    }
    const partNumber = Number(number);
    if (partNumber < 1 || partNumber > PARTS_MAX || body.length > upload.partBytes) throw new Refused(400, "part-invalid");
    upload.parts.set(partNumber, body);
    return { partNumber, etag: `etag-${hashOf(body).slice(0, 8)}` };
  }

  #list(query: URLSearchParams): unknown {
    const { kept } = this;
    if (kept?.server !== query.get("server")) throw new Refused(403, "server-not-yours");
    // As the real one, a cursor that nobody reads: here with the number of the page in it.
    const page = Number(query.get("after")?.slice("backup_".length) ?? 0);
    const archives = kept.archives.slice(page * kept.perPage, (page + 1) * kept.perPage);
    const more = kept.archives.length > (page + 1) * kept.perPage;
    return { archives, ...(more ? { next: `backup_${String(page + 1).padStart(16, "0")}` } : {}) };
  }

  #begin(json: unknown): unknown {
    const { server, name, partBytes, job } = beginUploadRequest.parse(json);
    if (this.archives.has(name) || [...this.uploads.values()].some((one) => one.name === name && one.state !== "removed")) {
      throw new Refused(409, "archive-exists");
    }
    const upload = newId("upload");
    this.uploads.set(upload, { server, name, partBytes, job, parts: new Map(), state: "open" });
    this.#checkLease({ job });
    return { upload };
  }

  #complete(upload: Upload, { parts, bytes, sha256 }: CompleteUploadRequest): unknown {
    if (upload.state === "completed") return { bytes };
    if (upload.state === "removed") throw new Refused(409, "upload-closed");
    const pieces = parts.map(({ partNumber, etag }) => {
      const part = upload.parts.get(partNumber);
      if (part === undefined || etag !== `etag-${hashOf(part).slice(0, 8)}`) throw new Refused(422, "archive-incomplete");
      return part;
    });
    const equal = pieces.slice(0, -1).every((piece) => piece.length === upload.partBytes);
    const archive = Buffer.concat(pieces);
    if (!equal || upload.manifest === undefined || archive.length !== bytes || hashOf(archive) !== sha256)
      throw new Refused(422, "archive-incomplete");
    upload.state = "completed";
    this.archives.set(upload.name, { archive, manifest: upload.manifest });
    return { bytes };
  }

  #remove(upload: Upload): unknown {
    if (upload.state === "completed") throw new Refused(409, "archive-in-use");
    upload.state = "removed";
    upload.parts.clear();
    return {};
  }

  #checkLease(upload: Pick<Upload, "job">): void {
    if (upload.job !== undefined && upload.job.lease === this.staleLease) throw new Refused(409, "lease-stale");
  }
}

function answer(response: ServerResponse, status: number, body: unknown, retryAfter?: string): void {
  response.writeHead(status, { "content-type": "application/json", ...(retryAfter === undefined ? {} : { "retry-after": retryAfter }) });
  response.end(body === undefined ? "" : JSON.stringify(body));
}

function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
