import { createHash } from "node:crypto";
import { AwsV4Signer } from "aws4fetch";
import { AgentError } from "../../../errors.ts";
import { configThere, fileMissing } from "./errors.ts";
import type { HttpAnswer, HttpRequest } from "./http/attempt.ts";
import { HttpClient, type HttpOptions } from "./http/client.ts";
import { partOf, rangeHeader } from "./http/part.ts";
import { isOk, refusalOf } from "./http/refusal.ts";
import { checkName, nameIn, pathOf } from "./names.ts";
import { FILE_BYTES_MAX } from "./ranges.ts";
import { parsePage, type S3Page } from "./s3-listing.ts";
import { type ByteRange, CONFIG_NAME, type FileInfo, type FileType, type RepositoryStore } from "./store.ts";

/** restic's own default for this kind of store (its documentation, `s3.connections`). */
const PARALLEL = 5;
/** Longest page of a listing and longest error, in bytes: a page has 1,000 files. */
const NOTE_BYTES_MAX = 4 * 1024 * 1024;
/** A listing that does not end with the thousandth million of files never does. */
const PAGES_MAX = 1_000_000;
const EMPTY_HASH = createHash("sha256").digest("hex");

export interface S3Place {
  /** Scheme, host and port: `https://s3.eu-central-1.amazonaws.com`. */
  endpoint: string;
  bucket: string;
  /** Folder in the bucket, without `/` at its ends; may be empty. */
  prefix: string;
}

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface S3Options extends HttpOptions {
  credentials: S3Credentials;
  /** Read from the endpoint's name when absent. */
  region?: string;
}

/** A bucket of any service that speaks S3's API, laid out as restic lays it out. The bucket must be there. */
export class S3Store implements RepositoryStore {
  readonly place: string;
  readonly parallel = PARALLEL;
  readonly #bucket: string;
  /** Before each name; empty or ending with `/`. */
  readonly #prefix: string;
  readonly #options: S3Options;
  readonly #region: string;
  readonly #http: HttpClient;
  /** Whether the service knows `If-None-Match` for new files. */
  #conditional = true;

  constructor({ endpoint, bucket, prefix }: S3Place, options: S3Options) {
    this.#bucket = `${endpoint}/${encodeURIComponent(bucket)}`;
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
    this.place = `${endpoint}/${bucket}/${prefix}`;
    this.#options = options;
    this.#region = options.region ?? regionOf(new URL(endpoint).hostname);
    this.#http = new HttpClient(this.place, options);
  }

  /** There are no folders to make. Whether the bucket is there and ours shows at once. */
  async create(signal?: AbortSignal): Promise<void> {
    await this.#page("locks", null, signal);
  }

  async read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal, memory?: Uint8Array): Promise<Buffer> {
    const url = this.#url(type, name);
    const what = nameIn(type, name);
    if (range?.length === 0) {
      if ((await this.stat(type, name, signal)) === null) throw fileMissing(this.place, what);
      return Buffer.alloc(0);
    }
    const headers: Record<string, string> = range === undefined ? {} : { range: rangeHeader(range) };
    const answer = await this.#send({ method: "GET", url, headers, answerBytesMax: FILE_BYTES_MAX, answerMemory: memory }, signal);
    return partOf(answer, range, this.place, what);
  }

  async write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const url = this.#url(type, name);
    const what = nameIn(type, name);
    // Some services do not know the condition and do not say so. A config is never put at risk.
    if ((type === "config" || !this.#conditional) && (await this.#isThere(type, name, bytes, signal))) return;
    const answer = await this.#put(url, type, name, bytes, this.#conditional, signal);
    if (isOk(answer)) return;
    if (answer.status === 501 && this.#conditional) {
      this.#conditional = false;
      return this.write(type, name, bytes, signal);
    }
    // There is one, or somebody writes it at this moment.
    if (answer.status !== 412 && answer.status !== 409) throw refusalOf(answer, this.place, what);
    if (await this.#isThere(type, name, bytes, signal)) return;
    if (type === "config") throw configThere(this.place);
    // What is there was cut short, or has just been removed.
    const second = await this.#put(url, type, name, bytes, false, signal);
    if (!isOk(second)) throw refusalOf(second, this.place, what);
  }

  /**
   * Whether the file is there as it would be written.
   * @throws AgentError `store-refused` for another config
   */
  async #isThere(type: FileType, name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<boolean> {
    const there = await this.stat(type, name, signal);
    if (there === null) return false;
    if (type !== "config") return there.bytes === bytes.length;
    // A first try may have arrived whose answer was lost.
    if (Buffer.compare(await this.read(type, name, undefined, signal), bytes) !== 0) throw configThere(this.place);
    return true;
  }

  #put(url: string, type: FileType, name: string, bytes: Uint8Array, conditional: boolean, signal?: AbortSignal): Promise<HttpAnswer> {
    const headers: Record<string, string> = { "content-type": "application/octet-stream" };
    if (conditional) headers["if-none-match"] = "*";
    // The name is the hash: the service checks it.
    const hash = type === "config" ? createHash("sha256").update(bytes).digest("hex") : name;
    return this.#send({ method: "PUT", url, headers, body: bytes, answerBytesMax: NOTE_BYTES_MAX }, signal, hash);
  }

  async stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    const answer = await this.#send({ method: "HEAD", url: this.#url(type, name), headers: {}, answerBytesMax: NOTE_BYTES_MAX }, signal);
    if (answer.status === 404) return null;
    if (!isOk(answer)) throw refusalOf(answer, this.place, nameIn(type, name));
    const length = answer.headers.get("content-length");
    if (length === null || !/^\d{1,15}$/.test(length)) throw this.#http.failed(`it does not tell how large ${nameIn(type, name)} is`);
    return { name, bytes: Number(length) };
  }

  async *list(type: FileType, signal?: AbortSignal): AsyncGenerator<FileInfo> {
    if (type === "config") {
      const found = await this.stat("config", CONFIG_NAME, signal);
      if (found !== null) yield found;
      return;
    }
    let next: string | null = null;
    for (let pages = 0; pages < PAGES_MAX; pages += 1) {
      const page: S3Page = await this.#page(type, next, signal);
      for (const { key, bytes } of page.files) {
        signal?.throwIfAborted();
        const name = key.slice(key.lastIndexOf("/") + 1);
        if (/^[0-9a-f]{64}$/.test(name) && key === this.#prefix + pathOf(type, name)) yield { name, bytes };
      }
      if (page.next === null) return;
      if (page.next === next) break;
      next = page.next;
    }
    throw this.#http.failed(`its listing of ${type} does not end`);
  }

  async #page(type: FileType, token: string | null, signal: AbortSignal | undefined): Promise<S3Page> {
    const query = new URLSearchParams({ "list-type": "2", "encoding-type": "url", prefix: `${this.#prefix}${type}/` });
    if (token !== null) query.set("continuation-token", token);
    // A signature is made over `%20`, never over `+`.
    const url = `${this.#bucket}?${query.toString().replaceAll("+", "%20")}`;
    const answer = await this.#send({ method: "GET", url, headers: {}, answerBytesMax: NOTE_BYTES_MAX }, signal);
    if (answer.status === 404) throw this.#noBucket();
    if (!isOk(answer)) throw refusalOf(answer, this.place, `listing of ${type}`);
    const page = parsePage(answer.body.toString("utf8"));
    if (page === null) throw this.#http.failed(`its listing of ${type} is no listing`);
    return page;
  }

  #noBucket(): AgentError {
    return new AgentError(
      "store-failed",
      `There is no bucket for ${this.place}. Make it at the service, with the rules that you want for it.`,
    );
  }

  async remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    const answer = await this.#send({ method: "DELETE", url: this.#url(type, name), headers: {}, answerBytesMax: NOTE_BYTES_MAX }, signal);
    if (!isOk(answer) && answer.status !== 404) throw refusalOf(answer, this.place, nameIn(type, name));
  }

  async close(): Promise<void> {
    // Node closes connections that nobody uses.
  }

  #url(type: FileType, name: string): string {
    checkName(type, name);
    const key = this.#prefix + pathOf(type, name);
    return `${this.#bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;
  }

  /** Each try is signed anew: a signature is good for 15 minutes. */
  #send(request: HttpRequest, signal: AbortSignal | undefined, hash = EMPTY_HASH): Promise<HttpAnswer> {
    const { credentials } = this.#options;
    const prepare = async (): Promise<HttpRequest> => {
      const headers = { ...request.headers, "x-amz-content-sha256": hash };
      const signer = new AwsV4Signer({
        ...credentials,
        method: request.method,
        url: request.url,
        headers,
        service: "s3",
        region: this.#region,
      });
      const signed = await signer.sign();
      return { ...request, url: signed.url.href, headers: Object.fromEntries(signed.headers) };
    };
    return this.#http.send(prepare, signal);
  }
}

/** Services that put the region into their host's name; elsewhere `us-east-1` is what they take, as restic does. */
export function regionOf(host: string): string {
  if (host.endsWith(".r2.cloudflarestorage.com")) return "auto";
  return (
    /(?:^|\.)s3[.-](?:dualstack\.)?([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|backblazeb2\.com|wasabisys\.com)$/.exec(host)?.[1] ??
    "us-east-1"
  );
}
