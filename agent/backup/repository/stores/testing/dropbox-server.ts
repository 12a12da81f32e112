import type { IncomingMessage, ServerResponse } from "node:http";
import { contentHashOf } from "../dropbox.ts";
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

  /** Node's fetch, with Dropbox's own addresses leading here. */
  readonly fetch: typeof fetch = (url, init) =>
    fetch(String(url).replace(/^https:\/\/(?:api|content)\.dropboxapi\.com/, this.#http.origin), init);

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
    if (!this.valid.has(request.headers.authorization?.replace(/^Bearer /, "") ?? "")) {
      return { status: 401, body: { error_summary: "expired_access_token/..", error: { ".tag": "expired_access_token" } } };
    }
    const path = String(args.path ?? "");
    switch (call) {
      case "files/create_folder_v2":
        if (this.folders.has(path)) return problem("path/conflict/folder/..");
        this.folders.add(path);
        return { status: 200, body: { metadata: { name: path, path_lower: path.toLowerCase() } } };
      case "files/upload":
        return this.#upload(path, args, body);
      case "files/download":
        return this.#download(path, request.headers.range);
      case "files/get_metadata":
        return this.files.has(path) ? { status: 200, body: this.#metadata(path) } : problem("path/not_found/..");
      case "files/delete_v2":
        if (!this.files.delete(path)) return problem("path_lookup/not_found/..");
        return { status: 200, body: { metadata: { ".tag": "file", name: path } } };
      case "files/list_folder":
        return this.#page(path, args.recursive === true, "", Number(args.limit));
      case "files/list_folder/continue": {
        const [folder = "", recursive = "", after = ""] = String(args.cursor).split("|");
        return this.#page(folder, recursive === "true", after, PAGE_ENTRIES);
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
    if (args.content_hash !== contentHashOf(body)) return problem("content_hash_mismatch/..");
    const there = this.files.get(path);
    // With the mode `add`, the same content is no conflict.
    if (there !== undefined) return there.equals(body) ? { status: 200, body: this.#metadata(path) } : problem("path/conflict/file/..");
    const used = [...this.files.values()].reduce((sum, { length }) => sum + length, 0);
    if (used + body.length > this.quota) return problem("path/insufficient_space/..");
    this.files.set(path, body);
    return { status: 200, body: this.#metadata(path) };
  }

  #download(path: string, range: string | undefined): Answer {
    const bytes = this.files.get(path);
    if (bytes === undefined) return problem("path/not_found/..");
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
    const below = [...this.files.keys()].filter((path) => path.startsWith(`${folder}/`));
    if (below.length === 0 && folder !== "" && !this.folders.has(folder)) return problem("path/not_found/..");
    const wanted = below.filter((path) => (recursive || !path.slice(folder.length + 1).includes("/")) && path > after).sort();
    const page = wanted.slice(0, Math.min(limit, PAGE_ENTRIES));
    const has_more = wanted.length > page.length;
    return {
      status: 200,
      body: { entries: page.map((path) => this.#metadata(path)), cursor: `${folder}|${recursive}|${page.at(-1) ?? ""}`, has_more },
    };
  }

  #metadata(path: string) {
    const bytes = this.files.get(path) ?? Buffer.alloc(0);
    const name = path.slice(path.lastIndexOf("/") + 1);
    return {
      ".tag": "file",
      name,
      path_lower: path.toLowerCase(),
      path_display: path,
      size: bytes.length,
      content_hash: contentHashOf(bytes),
    };
  }
}

/** An error of one endpoint, in Dropbox's own shape. */
export function problem(summary: string): Answer {
  return { status: 409, body: { error_summary: summary, error: { ".tag": summary.split("/")[0] } } };
}
