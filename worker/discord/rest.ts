/** Longest wait for one answer of Discord, in milliseconds. */
const CALL_TIMEOUT_MS = 10_000;
/** When Discord says 429 without saying how long. */
const DEFAULT_WAIT_MS = 5000;
/** Buckets that are remembered; the oldest is forgotten. */
const BUCKETS_MAX = 200;

export type RestOutcome =
  | { kind: "ok"; body: unknown }
  /** Not sent, or refused with 429: try again after `ms`. */
  | { kind: "limited"; ms: number; global: boolean }
  /** No answer, or 5xx: may be tried again. */
  | { kind: "failed"; reason: string }
  /** Discord will not do this, however often it is asked. */
  | { kind: "refused"; status: number; reason: string };

export interface RestParts {
  apiUrl: string;
  botToken: string;
  now: () => number;
}

interface CallOptions {
  /** Name of the rate-limit bucket; the path by default. Interaction tokens have one each, and must not be remembered. */
  bucket?: string;
  /** The path holds a token: keep it out of logs and reasons. */
  secret?: boolean;
}

/**
 * Calls Discord's REST API. It obeys the rate-limit headers of earlier answers before it sends, and never retries by itself: whoever
 * calls has an outbox.
 */
export class DiscordRest {
  readonly #parts: RestParts;
  readonly #blockedUntil = new Map<string, number>();
  #globalUntil = 0;

  constructor(parts: RestParts) {
    this.#parts = parts;
  }

  async send(
    method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE",
    path: string,
    body?: unknown,
    options: CallOptions = {},
  ): Promise<RestOutcome> {
    const bucket = `${method} ${options.secret ? (options.bucket ?? "secret") : path}`;
    const until = Math.max(this.#globalUntil, this.#blockedUntil.get(bucket) ?? 0);
    const wait = until - this.#parts.now();
    if (wait > 0) return { kind: "limited", ms: wait, global: this.#globalUntil === until };
    const exchanged = await this.#exchange(method, path, body);
    if ("failure" in exchanged) return { kind: "failed", reason: exchanged.failure };
    const { response, answer } = exchanged;
    this.#heedHeaders(bucket, response, options);
    if (response.ok) return { kind: "ok", body: answer };
    if (response.status === 429) return this.#limited(options.secret ? null : bucket, response, answer);
    const reason = `Discord answered ${response.status}${reasonIn(answer)}`;
    return response.status >= 500 ? { kind: "failed", reason } : { kind: "refused", status: response.status, reason };
  }

  /** One call and its whole answer, within the bound. The timer must not outlive the call: while it is pending, the object is not evicted. */
  async #exchange(method: string, path: string, body: unknown): Promise<{ response: Response; answer: unknown } | { failure: string }> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new DOMException("no answer in time", "TimeoutError")), CALL_TIMEOUT_MS);
    try {
      const response = await fetch(`${this.#parts.apiUrl}${path}`, {
        method,
        headers: {
          authorization: `Bot ${this.#parts.botToken}`,
          "user-agent": "DiscordBot (https://github.com/reconsync/reconsync, 1)",
          // A form names its own type and boundary.
          ...(body === undefined || body instanceof FormData ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: body instanceof FormData ? body : JSON.stringify(body) }),
        signal: controller.signal,
      });
      return { response, answer: await readJson(response) };
    } catch (error) {
      return { failure: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
    } finally {
      clearTimeout(timer);
    }
  }

  #heedHeaders(bucket: string, response: Response, options: CallOptions): void {
    // A bucket shared by all interaction tokens would hold up one message for another.
    if (options.secret || response.headers.get("x-ratelimit-remaining") !== "0") return;
    const seconds = Number(response.headers.get("x-ratelimit-reset-after"));
    if (Number.isFinite(seconds) && seconds > 0) this.#block(bucket, seconds * 1000);
  }

  #limited(bucket: string | null, response: Response, answer: unknown): RestOutcome {
    const body = typeof answer === "object" && answer !== null ? (answer as { retry_after?: unknown; global?: unknown }) : {};
    const seconds = Number(body.retry_after ?? response.headers.get("retry-after"));
    const ms = Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds * 1000) : DEFAULT_WAIT_MS;
    const global = body.global === true || response.headers.get("x-ratelimit-scope") === "global";
    if (global) this.#globalUntil = this.#parts.now() + ms;
    else if (bucket !== null) this.#block(bucket, ms);
    return { kind: "limited", ms, global };
  }

  #block(bucket: string, ms: number): void {
    if (this.#blockedUntil.size >= BUCKETS_MAX) {
      const oldest = this.#blockedUntil.keys().next().value;
      if (oldest !== undefined) this.#blockedUntil.delete(oldest);
    }
    this.#blockedUntil.set(bucket, this.#parts.now() + ms);
  }
}

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    // Discord's edge answers some failures with HTML; the status says enough.
    return null;
  }
}

function reasonIn(answer: unknown): string {
  if (typeof answer !== "object" || answer === null) return "";
  const { code, message } = answer as { code?: unknown; message?: unknown };
  return typeof message === "string" ? `: ${message.slice(0, 200)}${typeof code === "number" ? ` (${code})` : ""}` : "";
}
