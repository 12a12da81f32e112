import { createHash } from "node:crypto";
import { Dropbox, DropboxAuth, DropboxResponseError } from "dropbox";
import { AgentError } from "../../../errors.ts";
import { configThere, fileMissing } from "./errors.ts";
import type { HttpAnswer, HttpRequest } from "./http/attempt.ts";
import { HttpClient, type HttpOptions } from "./http/client.ts";
import { toldBy } from "./http/judge.ts";
import { partOf, rangeHeader } from "./http/part.ts";
import { refusalOf } from "./http/refusal.ts";
import { checkName, nameIn, pathOf } from "./names.ts";
import { FILE_BYTES_MAX, resolveRange } from "./ranges.ts";
import { type ByteRange, CONFIG_NAME, type FileInfo, type FileType, type RepositoryStore } from "./store.ts";

/** Dropbox asks apps to write one file at a time in one folder (its Performance Guide), and answers 429 to those that do not; two keep the line busy. */
const PARALLEL = 2;
/** Entries of one page, the most that `files/list_folder` takes. */
const PAGE_ENTRIES = 2000;
const PAGES_MAX = 1_000_000;
/** Longest answer without a file in it, in bytes: a page of entries is about 1 MB. */
const NOTE_BYTES_MAX = 8 * 1024 * 1024;
/** Files are sent in one request. `files/upload` takes up to 150 MiB; packs have 16 to 25. */
export const UPLOAD_BYTES_MAX = 150 * 1024 * 1024;
/** Dropbox hashes contents in blocks of this size (its "Content Hash" page), in bytes. */
const HASH_BLOCK_BYTES = 4 * 1024 * 1024;

export interface DropboxCredentials {
  /** Of a person's grant to an app, and that app's key. Good until it is taken back. */
  refreshToken?: string;
  appKey?: string;
  /** Absent for grants by PKCE. */
  appSecret?: string;
  /** Good for some hours, when there is no refresh token. */
  accessToken?: string;
}

export interface DropboxOptions extends HttpOptions {
  credentials: DropboxCredentials;
}

/** What Dropbox says is wrong, by its own words, such as `path/not_found/...`. */
interface Refused {
  summary: string;
  answer: HttpAnswer;
}

/**
 * A folder in a Dropbox, laid out as restic lays out a folder: where it is synchronised to a disk, restic opens it there. Its SDK makes the requests and
 * reads the answers; they go through our own client, so that retries, bounds and pace are those of every store.
 */
export class DropboxStore implements RepositoryStore {
  readonly place: string;
  readonly parallel = PARALLEL;
  /** Empty for the app's own folder, else beginning with `/`. */
  readonly #folder: string;
  readonly #http: HttpClient;
  readonly #auth: DropboxAuth;
  readonly #renewable: boolean;
  #renewing: Promise<void> | undefined;

  /** @param folder `/games/island`; `/` for all that the app may see */
  constructor(folder: string, options: DropboxOptions) {
    const tidy = folder.replace(/\/+/g, "/").replace(/\/$/, "");
    this.#folder = tidy === "" || tidy.startsWith("/") ? tidy : `/${tidy}`;
    this.place = `dropbox:${this.#folder === "" ? "/" : this.#folder}`;
    this.#http = new HttpClient(this.place, options);
    const { refreshToken, appKey, appSecret, accessToken } = options.credentials;
    this.#renewable = refreshToken !== undefined;
    this.#auth = new DropboxAuth({
      fetch: this.#fetchFor(undefined, () => undefined),
      accessToken,
      refreshToken,
      clientId: appKey,
      clientSecret: appSecret,
      dataOnBody: true,
    });
  }

  async create(signal?: AbortSignal): Promise<void> {
    if (this.#folder === "") {
      await this.#page({ path: "", limit: 1 }, signal);
      return;
    }
    const made = await this.#call((client) => client.filesCreateFolderV2({ path: this.#folder }), signal);
    if ("refused" in made && !made.refused.summary.startsWith("path/conflict/folder")) throw this.#refusal(made.refused, "new folder");
  }

  async read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal): Promise<Buffer> {
    const path = this.#path(type, name);
    const what = nameIn(type, name);
    let wanted = range;
    // Ranges from the end are not among those that Dropbox writes of.
    if (range !== undefined && (range.offset < 0 || range.length === 0)) {
      const there = await this.stat(type, name, signal);
      if (there === null) throw fileMissing(this.place, what);
      const { offset, length } = resolveRange(range, there.bytes, what);
      if (length === 0) return Buffer.alloc(0);
      wanted = { offset, length };
    }
    const headers: Record<string, string> = wanted === undefined ? {} : { range: rangeHeader(wanted) };
    const got = await this.#call((client) => client.filesDownload({ path }), signal, { headers, answerBytesMax: FILE_BYTES_MAX });
    if ("refused" in got && got.refused.answer.status !== 416) {
      if (got.refused.summary.startsWith("path/not_found")) throw fileMissing(this.place, what);
      throw this.#refusal(got.refused, what);
    }
    return partOf("refused" in got ? got.refused.answer : got.answer, wanted, this.place, what);
  }

  async write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const path = this.#path(type, name);
    const what = nameIn(type, name);
    if (bytes.length > UPLOAD_BYTES_MAX) {
      throw new AgentError("store-failed", `${what} has ${bytes.length} bytes, more than Dropbox takes at once. Choose another place.`);
    }
    // The same content again is a success to Dropbox; it compares what arrives with the hash.
    const contentHash = contentHashOf(bytes);
    const commit = { path, contents: Buffer.from(bytes), mode: { ".tag": "add" as const }, mute: true, content_hash: contentHash };
    const made = await this.#call((client) => client.filesUpload(commit), signal);
    if (!("refused" in made)) return;
    if (!made.refused.summary.startsWith("path/conflict")) throw this.#refusal(made.refused, what);
    if (type === "config") {
      // A first try may have arrived whose answer was lost.
      if (Buffer.compare(await this.read(type, name, undefined, signal), bytes) !== 0) throw configThere(this.place);
      return;
    }
    if ((await this.stat(type, name, signal))?.bytes !== bytes.length) {
      throw new AgentError(
        "store-failed",
        `${this.place} holds something else under the name of ${what}. Look at it there, and move it away.`,
      );
    }
  }

  async stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    const path = this.#path(type, name);
    const got = await this.#call((client) => client.filesGetMetadata({ path }), signal);
    if ("refused" in got) {
      if (got.refused.summary.startsWith("path/not_found")) return null;
      throw this.#refusal(got.refused, nameIn(type, name));
    }
    return got.result[".tag"] === "file" ? { name, bytes: got.result.size } : null;
  }

  async *list(type: FileType, signal?: AbortSignal): AsyncGenerator<FileInfo> {
    if (type === "config") {
      const found = await this.stat("config", CONFIG_NAME, signal);
      if (found !== null) yield found;
      return;
    }
    let next: string | null = null;
    for (let pages = 0; pages < PAGES_MAX; pages += 1) {
      const page = await this.#page(next ?? { path: `${this.#folder}/${type}`, recursive: type === "data", limit: PAGE_ENTRIES }, signal);
      if (page === null) return;
      for (const entry of page.entries) {
        signal?.throwIfAborted();
        const { name } = entry;
        if (entry[".tag"] !== "file" || !/^[0-9a-f]{64}$/.test(name)) continue;
        if (entry.path_lower?.endsWith(`/${pathOf(type, name)}`) === true) yield { name, bytes: entry.size };
      }
      if (!page.has_more) return;
      next = page.cursor;
    }
    throw this.#http.failed(`its listing of ${type} does not end`);
  }

  /** A page from its beginning or a cursor; null when there is no such folder. */
  async #page(from: string | { path: string; recursive?: boolean; limit: number }, signal: AbortSignal | undefined) {
    const got = await this.#call(
      (client) => (typeof from === "string" ? client.filesListFolderContinue({ cursor: from }) : client.filesListFolder(from)),
      signal,
    );
    if (!("refused" in got)) return got.result;
    if (got.refused.summary.startsWith("path/not_found")) return null;
    throw this.#refusal(got.refused, "listing");
  }

  async remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    const path = this.#path(type, name);
    const made = await this.#call((client) => client.filesDeleteV2({ path }), signal);
    if ("refused" in made && !made.refused.summary.startsWith("path_lookup/not_found"))
      throw this.#refusal(made.refused, nameIn(type, name));
  }

  async close(): Promise<void> {
    // Node closes connections that nobody uses.
  }

  #path(type: FileType, name: string): string {
    checkName(type, name);
    return `${this.#folder}/${pathOf(type, name)}`;
  }

  /** One call of the SDK: what it answers, or what Dropbox refuses. A token that has run out is renewed once. */
  async #call<T>(
    work: (client: Dropbox) => Promise<{ result: T }>,
    signal: AbortSignal | undefined,
    more: Pick<HttpRequest, "answerBytesMax"> & { headers?: Record<string, string> } = {},
  ): Promise<{ result: T; answer: HttpAnswer } | { refused: Refused }> {
    for (let tried = 1; ; tried += 1) {
      let answer: HttpAnswer | undefined;
      const fetch = this.#fetchFor(signal, (got) => (answer = got), more);
      try {
        await this.#token();
        const { result } = await work(new Dropbox({ auth: this.#auth, fetch }));
        if (answer === undefined) throw new Error("the SDK of Dropbox answered without a request");
        return { result, answer };
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof DropboxResponseError)) throw error;
        if (error.status === 401 && this.#renewable && tried === 1) {
          this.#auth.setAccessTokenExpiresAt(new Date(0));
          continue;
        }
        // The token itself was asked for in vain: then no request of ours was sent.
        answer ??= { status: 401, headers: new Headers(), body: Buffer.from(JSON.stringify(error.error) ?? "") };
        return { refused: { summary: summaryOf(error.error), answer } };
      }
    }
  }

  /** Calls at the same time share one renewal of the token. */
  #token(): Promise<void> {
    this.#renewing ??= this.#auth.checkAndRefreshAccessToken().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** What the SDK sends, sent by our own client. */
  #fetchFor(
    signal: AbortSignal | undefined,
    onAnswer: (answer: HttpAnswer) => void,
    more: Pick<HttpRequest, "answerBytesMax"> & { headers?: Record<string, string> } = {},
  ) {
    return async (url: string, init: { headers?: Record<string, string>; body?: unknown }): Promise<Response> => {
      const { body, headers } = bodyOf(init.body);
      const request: HttpRequest = {
        method: "POST",
        url,
        headers: { ...init.headers, ...headers, ...more.headers },
        body,
        answerBytesMax: more.answerBytesMax ?? NOTE_BYTES_MAX,
      };
      const answer = await this.#http.send(() => request, signal);
      onAnswer(answer);
      return new Response(new Uint8Array(answer.body), { status: answer.status, headers: answer.headers });
    };
  }

  #refusal({ summary, answer }: Refused, what: string): AgentError {
    if (/(?:^|\/)insufficient_(?:space|quota)/.test(summary)) {
      return new AgentError("store-full", `${this.place} has no space for ${what} (${summary}). Free some at Dropbox, then try again.`);
    }
    if (answer.status === 401 || /(?:^|\/)(?:no_permission|no_write_permission|missing_scope|disallowed_name)/.test(summary)) {
      const told = summary === "" ? toldBy(answer) : summary;
      return new AgentError(
        "store-refused",
        `${this.place} does not let us do this for ${what} (${told}). Give the app a valid token, with the right to read and write files.`,
      );
    }
    if (summary.startsWith("content_hash_mismatch"))
      return new AgentError("store-failed", `${what} arrived damaged at ${this.place}. Try again.`);
    return answer.status === 409 && summary !== ""
      ? new AgentError("store-failed", `${this.place} cannot do this for ${what} (${summary}). Look at it there, then try again.`)
      : refusalOf(answer, this.place, what);
  }
}

/** The SDK gives the fields of a token request as an object: as a form they are not in the address, where logs would show them. */
function bodyOf(body: unknown): { body?: Uint8Array; headers?: Record<string, string> } {
  if (body === undefined || body === null) return {};
  if (typeof body === "string") return { body: Buffer.from(body) };
  if (body instanceof Uint8Array) return { body };
  const form = new URLSearchParams(body as Record<string, string>);
  return { body: Buffer.from(form.toString()), headers: { "Content-Type": "application/x-www-form-urlencoded" } };
}

/** `error_summary` of Dropbox's errors, or `error` of its OAuth server's. */
function summaryOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return typeof error === "string" ? error.slice(0, 200) : "";
  if ("error_summary" in error && typeof error.error_summary === "string") return error.error_summary;
  return "error" in error && typeof error.error === "string" ? error.error : "";
}

/** Dropbox's own hash of contents, in hex: SHA-256 of the hashes of the blocks (its "Content Hash" page). */
export function contentHashOf(bytes: Uint8Array): string {
  const whole = createHash("sha256");
  for (let at = 0; at < bytes.length; at += HASH_BLOCK_BYTES) {
    whole.update(
      createHash("sha256")
        .update(bytes.subarray(at, at + HASH_BLOCK_BYTES))
        .digest(),
    );
  }
  return whole.digest("hex");
}
