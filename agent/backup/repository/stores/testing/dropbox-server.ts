import type { IncomingMessage, ServerResponse } from "node:http";
import { contentHashOf } from "../dropbox/content-hash.ts";
import { nodeTransport, type Transport } from "../http/transport.ts";
import { LocalHttp } from "./local-http.ts";

/** Smaller than Dropbox's, so that listings have pages. */
const PAGE_ENTRIES = 700;

export interface DropboxAsked {
  /** Such as `files/upload`, or `oauth2/token`. */
  call: string;
  path: string;
}

interface Answer {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** One Dropbox that knows as much of its API (HTTP endpoints of version 2) as repositories need, in memory. */
export class DropboxServer {
  readonly files = new Map<string, Buffer>();
  readonly folders = new Set<string>();
  readonly asked: DropboxAsked[] = [];
  readonly app = { key: "app-key", secret: "app-secret", refreshToken: "refresh-token" };
  /** Access tokens that are taken now. */
  readonly valid = new Set<string>();
  #issued = 0;
  quota = Number.POSITIVE_INFINITY;
  /** Asked before each request: an answer in place of the real one. */
  fault: (asked: DropboxAsked) => Answer | undefined = () => undefined;
  readonly #http = new LocalHttp((request, response) => this.#serve(request, response));

  async start(): Promise<this> {
    await this.#http.start();
    return this;
  }

  stop(): Promise<void> {
    return this.#http.stop();
  }

  /** The agent's own, with Dropbox's own addresses leading here. */
  readonly transport: Transport = (request, going) =>
    nodeTransport({ ...request, url: request.url.replace(/^https:\/\/(?:api|content)\.dropboxapi\.com/, this.#http.origin) }, going);

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const call = (request.url ?? "").replace(/^\/(?:2\/)?/, "");
    const inHeader = request.headers["dropbox-api-arg"];
    const isForm = request.headers["content-type"] === "application/x-www-form-urlencoded";
    const text = typeof inHeader === "string" ? inHeader : body.length > 0 ? body.toString() : "{}";
    const args = (isForm ? Object.fromEntries(new URLSearchParams(text)) : JSON.parse(text)) as Record<string, unknown>;
    const asked: DropboxAsked = { call, path: String(args.path ?? "") };
    this.asked.push(asked);
    const answer = this.fault(asked) ?? this.#answer(call, args, body, request);
    const bytes = Buffer.isBuffer(answer.body) ? answer.body : Buffer.from(JSON.stringify(answer.body));
    response.writeHead(answer.status, { "content-type": "application/json", "content-length": bytes.length, ...answer.headers });
    response.end(bytes);
  }

  #answer(call: string, args: Record<string, unknown>, body: Buffer, request: IncomingMessage): Answer {
    if (call === "oauth2/token") return this.#renew(args);
    const [, token = ""] = /^Bearer (.+)$/.exec(request.headers.authorization ?? "") ?? [];
    if (!this.valid.has(token)) return problem({ ".tag": "expired_access_token" }, 401);
    const path = String(args.path ?? "");
    switch (call) {
      case "files/create_folder_v2":
        if (this.files.has(path)) return problem(atPath("path", CONFLICT_FILE));
        if (this.folders.has(path)) return problem(atPath("path", { ".tag": "conflict", conflict: { ".tag": "folder" } }));
        this.#makeFolders(`${path}/`);
        return { status: 200, body: { metadata: { name: path, path_lower: path.toLowerCase() } } };
      case "files/upload":
        return this.#upload(path, args, body);
      case "files/download":
        return this.#download(path, request.headers.range);
      case "files/get_metadata":
        return this.files.has(path) ? { status: 200, body: this.#metadata(path) } : problem(atPath("path", NOT_FOUND));
      case "files/delete_v2":
        if (!this.files.delete(path)) return problem(atPath("path_lookup", NOT_FOUND));
        return { status: 200, body: { metadata: { ".tag": "file", name: path } } };
      case "files/list_folder":
        return this.#page(path, args.recursive === true, "", Number(args.limit));
      case "files/list_folder/continue": {
        const [folder = "", recursive = "", after] = String(args.cursor).split("|");
        return after === undefined ? problem({ ".tag": "reset" }) : this.#page(folder, recursive === "true", after, PAGE_ENTRIES);
      }
      default:
        return { status: 400, body: `Unknown API function: ${call}` };
    }
  }

  #renew(args: Record<string, unknown>): Answer {
    const { key, secret, refreshToken } = this.app;
    const right = args.refresh_token === refreshToken && args.client_id === key && args.client_secret === secret;
    if (!right || args.grant_type !== "refresh_token")
      return { status: 400, body: { error: "invalid_grant", error_description: "refresh token is invalid" } };
    this.#issued += 1;
    const token = `token-${this.#issued}`;
    this.valid.add(token);
    return { status: 200, body: { access_token: token, token_type: "bearer", expires_in: 14_400 } };
  }

  #upload(path: string, args: Record<string, unknown>, body: Buffer): Answer {
    if (args.content_hash !== contentHashOf(body)) return problem({ ".tag": "content_hash_mismatch" });
    const there = this.files.get(path);
    // In any mode, the same content is no conflict.
    if (there?.equals(body) === true) return { status: 200, body: this.#metadata(path) };
    const { ".tag": tag, update } = args.mode as { ".tag": string; update?: string };
    if (there !== undefined && (tag !== "update" || update !== revOf(there))) return problem(notWritten(CONFLICT_FILE));
    const used = [...this.files.values()].reduce((sum, { length }) => sum + length, 0);
    if (used - (there?.length ?? 0) + body.length > this.quota) return problem(notWritten({ ".tag": "insufficient_space" }));
    this.files.set(path, body);
    this.#makeFolders(path);
    return { status: 200, body: this.#metadata(path) };
  }

  /** Those that a path lies in. */
  #makeFolders(path: string): void {
    for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) this.folders.add(path.slice(0, at));
  }

  #download(path: string, range: string | undefined): Answer {
    const bytes = this.files.get(path);
    if (bytes === undefined) return problem(atPath("path", NOT_FOUND));
    const headers = { "dropbox-api-result": JSON.stringify(this.#metadata(path)), "content-type": "application/octet-stream" };
    if (range === undefined) return { status: 200, body: bytes, headers };
    const [, first = "", last = ""] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
    const until = last === "" ? bytes.length : Math.min(bytes.length, Number(last) + 1);
    if (first === "" || Number(first) >= bytes.length) return { status: 416, body: Buffer.alloc(0) };
    return {
      status: 206,
      body: bytes.subarray(Number(first), until),
      headers: { ...headers, "content-range": `bytes ${first}-${until - 1}/${bytes.length}` },
    };
  }

  #page(folder: string, recursive: boolean, after: string, limit: number): Answer {
    if (folder !== "" && !this.folders.has(folder)) return problem(atPath("path", NOT_FOUND));
    const below = [...this.files.keys(), ...this.folders].filter((path) => path.startsWith(`${folder}/`));
    const wanted = below.filter((path) => (recursive || !path.slice(folder.length + 1).includes("/")) && path > after).sort();
    const page = wanted.slice(0, Math.min(limit, PAGE_ENTRIES));
    const has_more = wanted.length > page.length;
    const cursor = `${folder}|${recursive}|${page.at(-1) ?? ""}`;
    return { status: 200, body: { entries: page.map((path) => this.#metadata(path)), cursor, has_more } };
  }

  #metadata(path: string) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const names = { name, path_lower: path.toLowerCase(), path_display: path };
    const bytes = this.files.get(path);
    if (bytes === undefined) return { ".tag": "folder", ...names };
    return { ".tag": "file", ...names, size: bytes.length, rev: revOf(bytes), content_hash: contentHashOf(bytes) };
  }
}

/** A member of one of Dropbox's unions. */
interface Tagged {
  ".tag": string;
  [field: string]: unknown;
}

const NOT_FOUND: Tagged = { ".tag": "not_found" };
const CONFLICT_FILE: Tagged = { ".tag": "conflict", conflict: { ".tag": "file" } };

function revOf(bytes: Buffer): string {
  return contentHashOf(bytes).slice(0, 20);
}

/** LookupError or WriteError below the tag of an endpoint's error. */
function atPath(tag: "path" | "path_lookup", inner: Tagged): Tagged {
  return { ".tag": tag, [tag]: inner };
}

/** UploadError: the one whose inner error has another name. */
export function notWritten(reason: Tagged): Tagged {
  return { ".tag": "path", reason, upload_session_id: "AAAAAAAAAAAAAAAAAAAAAA" };
}

/** An error of one endpoint, in Dropbox's own shape. */
export function problem(error: Tagged, status = 409): Answer {
  return { status, body: { error_summary: `${error[".tag"]}/...`, error } };
}

/** A limit that was met, with what Dropbox calls it. */
export function limited(reason: "too_many_requests" | "too_many_write_operations", seconds: number): Answer {
  const body = { error_summary: `${reason}/..`, error: { reason: { ".tag": reason }, retry_after: seconds } };
  return { status: 429, body, headers: { "retry-after": String(seconds) } };
}
