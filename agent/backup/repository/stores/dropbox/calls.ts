import { Dropbox, DropboxAuth, type DropboxRequestOptions, DropboxResponseError } from "dropbox";
import type { HttpAnswer, HttpRequest } from "../http/attempt.ts";
import { HttpClient, type HttpOptions } from "../http/client.ts";
import { isOk } from "../http/refusal.ts";
import { type Refused, tagsIn, tagsOf } from "./refused.ts";

/** Longest answer without a file in it, in bytes: a page of entries is about 1 MB. */
const NOTE_BYTES_MAX = 8 * 1024 * 1024;

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

export interface CallOptions {
  headers?: Record<string, string>;
  /** The answer is a file of so many bytes at most; it is in `answer`, and the SDK does not see it. */
  fileBytesMax?: number;
}

/** What Dropbox answers, or what it refuses. */
export type Outcome<T> = { result: T; answer: HttpAnswer } | { refused: Refused };

/**
 * Calls of Dropbox's SDK. It makes the requests, renews the token and reads the answers; they go through our own client, so that retries, bounds and pace
 * are those of every store.
 */
export class DropboxCalls {
  readonly #http: HttpClient;
  readonly #auth: DropboxAuth;
  readonly #renewable: boolean;
  readonly #ended = new AbortController();
  #renewing: Promise<void> | undefined;

  /** @param place names the folder in messages */
  constructor(place: string, { credentials, ...options }: DropboxOptions) {
    this.#http = new HttpClient(place, options);
    const { refreshToken, appKey, appSecret, accessToken } = credentials;
    this.#renewable = refreshToken !== undefined;
    this.#auth = new DropboxAuth({
      fetch: this.#fetchFor(() => undefined, {}),
      accessToken,
      refreshToken,
      clientId: appKey,
      clientSecret: appSecret,
      dataOnBody: true,
    });
  }

  /** One call. A token that is not taken is renewed once. @param work gives the options on to the SDK */
  async call<T extends object>(
    work: (client: Dropbox, options: DropboxRequestOptions) => Promise<{ result: T }>,
    signal: AbortSignal | undefined,
    more: CallOptions = {},
  ): Promise<Outcome<T>> {
    for (let tried = 1; ; tried += 1) {
      const outcome = await this.#once(work, signal, more);
      if (!("refused" in outcome) || outcome.refused.answer.status !== 401 || !this.#renewable || tried > 1) return outcome;
      this.#auth.setAccessTokenExpiresAt(new Date(0));
    }
  }

  async #once<T extends object>(
    work: (client: Dropbox, options: DropboxRequestOptions) => Promise<{ result: T }>,
    signal: AbortSignal | undefined,
    more: CallOptions,
  ): Promise<Outcome<T>> {
    let answer: HttpAnswer | undefined;
    const client = new Dropbox({ auth: this.#auth, fetch: this.#fetchFor((got) => (answer = got), more) });
    try {
      signal?.throwIfAborted();
      await this.#token(signal);
      const { result } = await work(client, { signal, extraHeaders: more.headers });
      if (answer === undefined || typeof result !== "object" || result === null)
        throw this.failed("it answers with something else than JSON");
      return { result, answer };
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof DropboxResponseError)) throw error;
      // Without an answer of its own, the call was not sent: there was no token for it.
      const { status, headers } = error;
      answer ??= { status, headers: new Headers(headers), body: Buffer.from(JSON.stringify(error.error) ?? "") };
      return { refused: { tags: tagsOf(error.error), answer } };
    }
  }

  failed(why: string): Error {
    return this.#http.failed(why);
  }

  /** Ends a renewal that nobody waits for any more. */
  close(): void {
    this.#ended.abort(new Error("the store was closed"));
  }

  /** Calls at the same time share one renewal, which none of them ends. */
  #token(signal: AbortSignal | undefined): Promise<void> {
    this.#renewing ??= this.#auth.checkAndRefreshAccessToken().finally(() => {
      this.#renewing = undefined;
    });
    return unlessAborted(this.#renewing, signal);
  }

  /** What the SDK sends, sent by our own client. */
  #fetchFor(onAnswer: (answer: HttpAnswer) => void, { fileBytesMax }: CallOptions) {
    return async (url: string, init: SdkRequest): Promise<Response> => {
      const { body, headers } = bodyOf(init.body);
      const request: HttpRequest = {
        method: "POST",
        url,
        headers: { ...init.headers, ...headers },
        body,
        answerBytesMax: fileBytesMax ?? NOTE_BYTES_MAX,
        judge,
      };
      const answer = await this.#http.send(() => request, init.signal ?? this.#ended.signal);
      onAnswer(answer);
      const seen = isOk(answer) && fileBytesMax !== undefined ? null : new Uint8Array(answer.body);
      return new Response(seen, { status: answer.status, headers: answer.headers });
    };
  }
}

/** What the SDK gives to `fetch`. */
interface SdkRequest {
  headers?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal;
}

/** Two that change one account at once hinder each other, which Dropbox says with 429, or with 409 as an error of the endpoint (its Performance Guide). */
function judge(answer: HttpAnswer): "later" | "damaged" | undefined {
  if (answer.status !== 409) return undefined;
  const tags = tagsIn(answer);
  if (/(?:^|\/)too_many_(?:write_operations|requests)$/.test(tags)) return "later";
  return tags === "content_hash_mismatch" ? "damaged" : undefined;
}

/** The SDK gives the fields of a token request as an object: as a form they are not in the address, where logs would show them. */
function bodyOf(body: unknown): { body?: Uint8Array; headers?: Record<string, string> } {
  if (body === undefined || body === null) return {};
  if (typeof body === "string") return { body: Buffer.from(body) };
  if (body instanceof Uint8Array) return { body };
  const form = new URLSearchParams(body as Record<string, string>);
  return { body: Buffer.from(form.toString()), headers: { "Content-Type": "application/x-www-form-urlencoded" } };
}

/** What others wait for too: an aborted signal ends the waiting, not the work. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
