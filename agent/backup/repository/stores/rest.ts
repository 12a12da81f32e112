import * as z from "zod";
import { configThere, fileMissing } from "./errors.ts";
import type { HttpAnswer, HttpRequest } from "./http/attempt.ts";
import { HttpClient, type HttpOptions } from "./http/client.ts";
import { partOf, rangeHeader } from "./http/part.ts";
import { isOk, refusalOf } from "./http/refusal.ts";
import { checkName, isNameOf, nameIn } from "./names.ts";
import { FILE_BYTES_MAX } from "./ranges.ts";
import { type ByteRange, CONFIG_NAME, type FileInfo, type FileType, type RepositoryStore } from "./store.ts";

/** restic's own default for this kind of store (its documentation, `rest.connections`). */
const PARALLEL = 5;
/** Longest listing that is read: 700,000 files, in bytes. */
const LISTING_BYTES_MAX = 64 * 1024 * 1024;
/** Longest answer without a file in it, in bytes. */
const NOTE_BYTES_MAX = 64 * 1024;
/** By this the server knows that we understand listings with sizes (restic's REST protocol, version 2). */
const VERSION_2 = "application/vnd.x.restic.rest.v2";

export interface RestOptions extends HttpOptions {
  /** The `Authorization` header. Asked for each try; `again`: the last one was not taken. It goes before what the address holds. */
  authorization?: (again: boolean) => Promise<string>;
}

/** A server that speaks restic's REST protocol: rest-server, our Worker, and others. */
export class RestStore implements RepositoryStore {
  readonly place: string;
  readonly parallel = PARALLEL;
  /** Ends with `/`. */
  readonly #base: string;
  readonly #authorization: ((again: boolean) => Promise<string>) | undefined;
  /** Whether the next answer to `authorization` may be another one. */
  readonly #renewable: boolean;
  readonly #http: HttpClient;

  /** @param address `https://USER:PASSWORD@HOST/PATH`, credentials if any */
  constructor(address: string, options: RestOptions = {}) {
    const url = new URL(address);
    const basic = basicOf(url);
    url.username = "";
    url.password = "";
    if (!url.pathname.endsWith("/")) url.pathname += "/";
    this.#base = url.href;
    this.place = url.href;
    this.#authorization = options.authorization ?? (basic === undefined ? undefined : async () => basic);
    this.#renewable = options.authorization !== undefined;
    this.#http = new HttpClient(this.place, options);
  }

  async create(signal?: AbortSignal): Promise<void> {
    const answer = await this.#send({ method: "POST", path: "?create=true", body: new Uint8Array(0), max: NOTE_BYTES_MAX }, signal);
    if (isOk(answer)) return;
    // Servers refuse to make what is there already in many ways; then a listing works.
    const there = await this.#send({ method: "GET", path: "keys/", max: LISTING_BYTES_MAX }, signal);
    if (!isOk(there)) throw refusalOf(answer, this.place, "new repository");
  }

  async read(type: FileType, name: string, range?: ByteRange, signal?: AbortSignal, memory?: Uint8Array): Promise<Buffer> {
    checkName(type, name);
    const what = nameIn(type, name);
    if (range?.length === 0) {
      const info = await this.stat(type, name, signal);
      if (info === null) throw fileMissing(this.place, what);
      return Buffer.alloc(0);
    }
    const answer = await this.#send({ method: "GET", path: pathFor(type, name), range, max: FILE_BYTES_MAX, memory }, signal);
    return partOf(answer, range, this.place, what);
  }

  async write(type: FileType, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    checkName(type, name);
    const what = nameIn(type, name);
    if (type === "config" && (await this.stat(type, name, signal)) !== null) throw configThere(this.place);
    const post = { method: "POST", path: pathFor(type, name), body: bytes, max: NOTE_BYTES_MAX } as const;
    const answer = await this.#send(post, signal);
    if (isOk(answer)) return;
    if (answer.status !== 403 && answer.status !== 409) throw refusalOf(answer, this.place, what);
    const there = await this.stat(type, name, signal);
    if (there === null) throw refusalOf(answer, this.place, what);
    if (type === "config") {
      // A first try may have arrived whose answer was lost.
      if (Buffer.compare(await this.read(type, name, undefined, signal), bytes) !== 0) throw configThere(this.place);
      return;
    }
    if (there.bytes === bytes.length) return;
    // What is there was cut short. It is replaced where the server lets us.
    await this.remove(type, name, signal);
    const second = await this.#send(post, signal);
    if (!isOk(second)) throw refusalOf(second, this.place, what);
  }

  async stat(type: FileType, name: string, signal?: AbortSignal): Promise<FileInfo | null> {
    checkName(type, name);
    const answer = await this.#send({ method: "HEAD", path: pathFor(type, name), max: NOTE_BYTES_MAX }, signal);
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
    const answer = await this.#send({ method: "GET", path: `${type}/`, max: LISTING_BYTES_MAX }, signal);
    if (answer.status === 404) return;
    if (!isOk(answer)) throw refusalOf(answer, this.place, `listing of ${type}`);
    for (const entry of this.#entries(answer, type)) {
      signal?.throwIfAborted();
      if (typeof entry !== "string") {
        if (isNameOf(type, entry.name)) yield { name: entry.name, bytes: entry.size };
      } else if (isNameOf(type, entry)) {
        // Version 1 of the protocol tells no sizes.
        const info = await this.stat(type, entry, signal);
        if (info !== null) yield info;
      }
    }
  }

  #entries({ body }: HttpAnswer, type: FileType): z.infer<typeof LISTING> {
    try {
      return LISTING.parse(JSON.parse(body.toString("utf8")));
    } catch (error) {
      throw this.#http.failed(`its listing of ${type} is no listing`, error);
    }
  }

  async remove(type: FileType, name: string, signal?: AbortSignal): Promise<void> {
    checkName(type, name);
    const answer = await this.#send({ method: "DELETE", path: pathFor(type, name), max: NOTE_BYTES_MAX }, signal);
    if (!isOk(answer) && answer.status !== 404) throw refusalOf(answer, this.place, nameIn(type, name));
  }

  async close(): Promise<void> {
    // Node closes connections that nobody uses.
  }

  async #send(call: Call, signal: AbortSignal | undefined): Promise<HttpAnswer> {
    const prepare = async (again: boolean): Promise<HttpRequest> => {
      const headers: Record<string, string> = { accept: VERSION_2 };
      if (this.#authorization !== undefined) headers.authorization = await this.#authorization(again);
      if (call.range !== undefined) headers.range = rangeHeader(call.range);
      if (call.body !== undefined) headers["content-type"] = "application/octet-stream";
      return {
        method: call.method,
        url: this.#base + call.path,
        headers,
        body: call.body,
        answerBytesMax: call.max,
        answerMemory: call.memory,
        renewable: this.#renewable,
      };
    };
    return this.#http.send(prepare, signal);
  }
}

interface Call {
  method: HttpRequest["method"];
  path: string;
  body?: Uint8Array;
  range?: ByteRange;
  /** Longest answer, in bytes. */
  max: number;
  memory?: Uint8Array;
}

const LISTING = z.union([z.array(z.object({ name: z.string(), size: z.int().min(0) })), z.array(z.string())]);

function pathFor(type: FileType, name: string): string {
  return type === "config" ? CONFIG_NAME : `${type}/${name}`;
}

/** What an address holds, for the header (RFC 7617). */
function basicOf({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`, "utf8").toString("base64")}`;
}
