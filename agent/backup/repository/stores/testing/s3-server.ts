import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { LocalHttp } from "./local-http.ts";
import { type S3Keys, signedBody } from "./s3-signature.ts";

export const BUCKET = "backups";
/** As S3 does. */
const PAGE_KEYS = 1000;

export interface S3ServerOptions {
  /** `If-None-Match` on new objects: `known` as AWS, R2 and MinIO; `refused` with 501; `ignored`. */
  conditions?: "known" | "refused" | "ignored";
  /** Bytes that fit in all. */
  quota?: number;
}

export interface S3Asked {
  method: string;
  key: string;
  conditional: boolean;
}

/** One bucket that speaks as much of S3's API as repositories need, in memory, and believes no signature. */
export class S3Server {
  readonly objects = new Map<string, Buffer>();
  readonly keys: S3Keys = { accessKeyId: "AKIDTEST", secretAccessKey: "secret/with+signs=", region: "us-east-1" };
  readonly asked: S3Asked[] = [];
  readonly options: S3ServerOptions;
  /** Asked before each request: a status and a body of XML in place of the answer. */
  fault: (asked: S3Asked) => { status: number; code: string } | undefined = () => undefined;
  readonly #http = new LocalHttp((request, response) => this.#serve(request, response));

  constructor(options: S3ServerOptions = {}) {
    this.options = options;
  }

  get endpoint(): string {
    return this.#http.origin;
  }

  async start(): Promise<this> {
    await this.#http.start();
    return this;
  }

  stop(): Promise<void> {
    return this.#http.stop();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const url = new URL(request.url ?? "/", this.endpoint);
    const [, bucket = "", ...rest] = url.pathname.split("/").map(decodeURIComponent);
    const asked: S3Asked = { method: request.method ?? "", key: rest.join("/"), conditional: request.headers["if-none-match"] === "*" };
    this.asked.push(asked);
    const fault = this.fault(asked);
    const body = signedBody(request, Buffer.concat(parts), this.keys);
    const answer =
      fault !== undefined
        ? problem(fault.status, fault.code)
        : body === null
          ? problem(403, "SignatureDoesNotMatch")
          : bucket !== BUCKET
            ? problem(404, "NoSuchBucket")
            : this.#answer(asked, body, url.searchParams, request.headers.range);
    response.writeHead(answer.status, { "content-length": answer.body.length, ...answer.headers });
    response.end(asked.method === "HEAD" ? undefined : answer.body);
  }

  #answer(asked: S3Asked, body: Buffer, query: URLSearchParams, range: string | undefined): Answer {
    const { method, key } = asked;
    if (key === "") {
      if (query.has("location")) return xml("<LocationConstraint></LocationConstraint>");
      if (method === "GET") return this.#page(query);
      return method === "HEAD" ? { status: 200, body: Buffer.alloc(0) } : problem(409, "BucketAlreadyOwnedByYou");
    }
    switch (method) {
      case "PUT":
        return this.#put(asked, body);
      case "DELETE":
        this.objects.delete(key);
        return { status: 204, body: Buffer.alloc(0) };
      default:
        return this.#get(key, range);
    }
  }

  #put({ key, conditional }: S3Asked, body: Buffer): Answer {
    const { conditions = "known", quota = Number.POSITIVE_INFINITY } = this.options;
    if (conditional && conditions === "refused") return problem(501, "NotImplemented");
    if (conditional && conditions === "known" && this.objects.has(key)) return problem(412, "PreconditionFailed");
    const used = [...this.objects.values()].reduce((sum, { length }) => sum + length, 0);
    if (used + body.length > quota) return problem(507, "StorageFull");
    this.objects.set(key, body);
    return { status: 200, body: Buffer.alloc(0), headers: { etag: etagOf(body) } };
  }

  #get(key: string, range: string | undefined): Answer {
    const bytes = this.objects.get(key);
    if (bytes === undefined) return problem(404, "NoSuchKey");
    const headers = { etag: etagOf(bytes), "last-modified": new Date(0).toUTCString() };
    if (range === undefined) return { status: 200, body: bytes, headers };
    const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
    const from = first === "" ? Math.max(0, bytes.length - Number(last)) : Number(first);
    const until = first === "" || last === "" ? bytes.length : Math.min(bytes.length, Number(last) + 1);
    if (from >= bytes.length || until <= from) return problem(416, "InvalidRange");
    const part = bytes.subarray(from, until);
    return { status: 206, body: part, headers: { ...headers, "content-range": `bytes ${from}-${until - 1}/${bytes.length}` } };
  }

  #page(query: URLSearchParams): Answer {
    const [prefix, delimiter, after] = ["prefix", "delimiter", "continuation-token"].map((name) => query.get(name) ?? "") as [
      string,
      string,
      string,
    ];
    const encode =
      query.get("encoding-type") === "url" ? (text: string) => encodeURIComponent(text).replaceAll("%2F", "/") : (text: string) => text;
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const folders = new Set<string>();
    const contents: string[] = [];
    let last = "";
    const page = keys.slice(0, PAGE_KEYS);
    for (const key of page) {
      last = key;
      const slash = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
      if (slash >= 0) folders.add(key.slice(0, slash + 1));
      else contents.push(this.#contents(key, encode));
    }
    const more = keys.length > page.length;
    return xml(
      `<ListBucketResult><Name>${BUCKET}</Name><IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${last}</NextContinuationToken>` : ""}`,
      `${contents.join("")}${[...folders].map((folder) => `<CommonPrefixes><Prefix>${encode(folder)}</Prefix></CommonPrefixes>`).join("")}</ListBucketResult>`,
    );
  }

  #contents(key: string, encode: (text: string) => string): string {
    const bytes = this.objects.get(key) ?? Buffer.alloc(0);
    const facts = `<LastModified>2026-11-22T12:00:00.000Z</LastModified><ETag>${etagOf(bytes)}</ETag><Size>${bytes.length}</Size>`;
    return `<Contents><Key>${encode(key)}</Key>${facts}</Contents>`;
  }
}

interface Answer {
  status: number;
  body: Buffer;
  headers?: Record<string, string>;
}

function etagOf(bytes: Buffer): string {
  return `"${createHash("md5").update(bytes).digest("hex")}"`;
}

function xml(...parts: string[]): Answer {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${parts.join("")}`);
  return { status: 200, body, headers: { "content-type": "application/xml" } };
}

function problem(status: number, code: string): Answer {
  return { ...xml(`<Error><Code>${code}</Code><Message>told: ${code}</Message></Error>`), status };
}
