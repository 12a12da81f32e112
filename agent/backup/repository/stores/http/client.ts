import { type Clock, systemClock } from "../../../../clock.ts";
import { AgentError, EXIT } from "../../../../errors.ts";
import { type Pace, sleep } from "../pace.ts";
import { attempt, type HttpAnswer, type HttpRequest, IDLE_MS } from "./attempt.ts";
import { AnswerTooLong } from "./body.ts";
import { backoffMs, isPassing, retryAfterMs, toldBy } from "./judge.ts";
import { nodeTransport, type Transport } from "./transport.ts";

/** A request is tried again for so long after its first failure, in milliseconds: restic's own patience (its documentation, 15 minutes). */
export const PATIENCE_MS = 15 * 60_000;
/** The same as long as the place has never answered, in milliseconds: its address may be wrong, and somebody may sit there and wait. */
export const FIRST_PATIENCE_MS = 10_000;
/** However short the waits, a request is sent no more often than this. */
const TRIES_MAX = 60;
/** A body that arrived damaged is sent again so often; after that it is damaged here. */
const DAMAGED_MAX = 2;

export interface HttpOptions {
  /** Node's own HTTP when absent. */
  transport?: Transport;
  clock?: Clock;
  /** From 0 to 1, as Math.random. */
  random?: () => number;
  /** In milliseconds; PATIENCE_MS when absent. */
  patienceMs?: number;
  /** In milliseconds; IDLE_MS when absent. */
  idleMs?: number;
  upload?: Pace;
  download?: Pace;
  /** Told of each try that failed and will be repeated. */
  onRetry?: (what: string, waitMs: number) => void;
}

/** Requests to one service, each repeated with bounds until there is an answer that stays the same. */
export class HttpClient {
  readonly #place: string;
  readonly #options: HttpOptions;
  #answered = false;

  /** @param place names the service in messages, without credentials */
  constructor(place: string, options: HttpOptions) {
    this.#place = place;
    this.#options = options;
  }

  /**
   * @param prepare makes the request anew for each try, since signatures and tokens run out. `again` is true when the last answer was 401.
   * @throws AgentError `store-unreachable` when patience has run out
   */
  async send(prepare: (again: boolean) => Promise<HttpRequest> | HttpRequest, signal?: AbortSignal): Promise<HttpAnswer> {
    const { clock = systemClock, random = Math.random, patienceMs = PATIENCE_MS, onRetry } = this.#options;
    let failedAt: number | undefined;
    let damaged = 0;
    let unauthorized = false;
    for (let tried = 1; ; tried += 1) {
      const request = await prepare(unauthorized);
      const result = await this.#try(request, signal);
      if ("status" in result) {
        const { status } = result;
        this.#answered ||= status < 500;
        if (status === 401 && request.renewable === true && !unauthorized) {
          unauthorized = true;
          continue;
        }
        const word = request.judge?.(result);
        // A service that checks the hash says so when a body was damaged on its way.
        const isDamaged = word === "damaged" || (status === 400 && request.body !== undefined);
        const resend = isDamaged && damaged++ < DAMAGED_MAX;
        if (!resend && word !== "later" && !isPassing(status)) return result;
      }
      const what = "status" in result ? toldBy(result) : result.failure;
      const asked = "status" in result ? retryAfterMs(result.headers.get("retry-after"), clock.now()) : 0;
      const waitMs = Math.max(asked, backoffMs(tried, random()));
      const patience = this.#answered ? patienceMs : Math.min(patienceMs, FIRST_PATIENCE_MS);
      failedAt ??= clock.now();
      if (tried >= TRIES_MAX || clock.now() + waitMs - failedAt > patience) throw this.#unreachable(what, tried, result);
      onRetry?.(what, waitMs);
      await sleep(clock, waitMs, signal);
    }
  }

  async #try(request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpAnswer | { failure: string; cause: unknown }> {
    const { transport = nodeTransport, idleMs = IDLE_MS, upload, download } = this.#options;
    try {
      return await attempt(request, { transport, idleMs, upload, download, signal });
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof AgentError) throw error;
      if (error instanceof AnswerTooLong) throw this.failed(error.message, error);
      return { failure: `no answer (${reasonOf(error)})`, cause: error };
    }
  }

  #unreachable(what: string, tried: number, result: object): AgentError {
    const text = `${this.#place} cannot be used: ${what}. It was tried ${tried === 1 ? "once" : `${tried} times`}. Check the address, the network and the service, then try again.`;
    return new AgentError("store-unreachable", text, { cause: "cause" in result ? result.cause : undefined, exitCode: EXIT.unavailable });
  }

  failed(why: string, cause?: unknown): AgentError {
    return new AgentError("store-failed", `${this.#place} does not behave as it should: ${why}.`, { cause });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
