import type { Clock } from "../clock.ts";
import type { OtlpConfig } from "../config/host-config.ts";
import { backoff, retryAfter } from "../control-plane/backoff.ts";
import { Bell } from "../control-plane/bell.ts";
import type { Fetch } from "../control-plane/exchange.ts";
import type { Logger } from "../logger.ts";
import { encodeSpans, type Resource, rejectedSpans } from "./otlp-json.ts";
import type { EndedSpan } from "./span.ts";

/** Where OTLP over HTTP takes traces, below the address of a collector. */
const TRACES_PATH = "/v1/traces";
/** Spans that wait at most, as the batch processor of OpenTelemetry's SDKs has it (OTEL_BSP_MAX_QUEUE_SIZE). */
export const QUEUE_MAX = 2048;
/** Spans in one request at most (OTEL_BSP_MAX_EXPORT_BATCH_SIZE). */
export const BATCH_MAX = 512;
/** How long spans are gathered, in milliseconds (OTEL_BSP_SCHEDULE_DELAY). */
const GATHER_MS = 5000;
/** Bound of one request, in milliseconds (OTEL_EXPORTER_OTLP_TIMEOUT). */
const EXPORT_TIMEOUT_MS = 10_000;
/** So often is one batch tried. */
export const ATTEMPTS_MAX = 5;
/** What a collector answers is shorter than this, in bytes; the rest is not read. */
const ANSWER_BYTES_MAX = 64 * 1024;
/** "Not now", says the OTLP specification; any other refusal is for good. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface ExporterDeps {
  config: OtlpConfig;
  resource: Resource;
  clock: Clock;
  log: Logger;
  fetch: Fetch;
  /** At least 0, below 1. */
  random: () => number;
  onExported: (spans: number) => void;
  onDropped: (spans: number) => void;
}

/** Sends spans to a collector by OTLP over HTTP, in batches, in the background. What it cannot send in time it drops and counts. */
export class SpanExporter {
  readonly #deps: ExporterDeps;
  readonly #bell: Bell;
  readonly #closing = new AbortController();
  readonly #over = new AbortController();
  readonly #ended: Promise<void>;
  #queue: EndedSpan[] = [];
  #troubled = false;

  constructor(deps: ExporterDeps) {
    this.#deps = deps;
    this.#bell = new Bell(deps.clock);
    this.#ended = this.#run().catch((error: unknown) => deps.log.error({ err: error }, "the export of traces ended unexpectedly"));
  }

  /** Never blocks. Above the cap the newest are dropped, as OpenTelemetry's own processor does. */
  push(span: EndedSpan): void {
    if (this.#queue.length >= QUEUE_MAX || this.#closing.signal.aborted) {
      this.#deps.onDropped(1);
      return;
    }
    this.#queue.push(span);
    if (this.#queue.length === BATCH_MAX) this.#bell.ring();
  }

  /** Sends what is left, within a bound. Takes no more spans. */
  async stop(timeoutMs: number): Promise<void> {
    this.#closing.abort();
    const timer = setTimeout(() => this.#over.abort(), timeoutMs);
    await this.#ended;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#bell.wait(GATHER_MS, this.#closing.signal);
      await this.#drain();
    }
    await this.#drain();
  }

  async #drain(): Promise<void> {
    const { onExported, onDropped } = this.#deps;
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH_MAX);
      const rejected = await this.#export(batch);
      onDropped(rejected);
      onExported(batch.length - rejected);
    }
  }

  /** Answers how many of the batch did not get there. */
  async #export(batch: readonly EndedSpan[]): Promise<number> {
    const { clock, random } = this.#deps;
    const body = encodeSpans(batch, this.#deps.resource);
    for (let attempt = 1; !this.#over.signal.aborted; attempt += 1) {
      const result = await this.#post(body);
      if ("rejected" in result) return result.rejected;
      if (!result.retry || attempt >= ATTEMPTS_MAX || this.#closing.signal.aborted) break;
      const pause = Math.max(backoff(attempt, random()), result.afterMs);
      await clock.sleep(pause, this.#closing.signal).catch((error: unknown) => {
        if (!this.#closing.signal.aborted) throw error;
      });
    }
    return batch.length;
  }

  async #post(body: string): Promise<{ rejected: number } | { retry: boolean; afterMs: number }> {
    const { config, fetch, clock, log } = this.#deps;
    const signal = AbortSignal.any([AbortSignal.timeout(EXPORT_TIMEOUT_MS), this.#over.signal]);
    const secrets = Object.entries(config.headers).map(([name, secret]) => [name, secret.reveal()] as const);
    const headers = { ...Object.fromEntries(secrets), "content-type": "application/json" };
    try {
      const response = await fetch(`${config.endpoint}${TRACES_PATH}`, { method: "POST", headers, body, redirect: "manual", signal });
      const answer = await textOf(response);
      if (response.ok) {
        if (this.#troubled) log.info("the trace collector takes spans again");
        this.#troubled = false;
        return { rejected: rejectedSpans(answer) };
      }
      this.#trouble(`it answered ${response.status}`);
      return { retry: RETRYABLE.has(response.status), afterMs: retryAfter(response, clock.now()) };
    } catch (error) {
      this.#trouble(reasonOf(error));
      return { retry: true, afterMs: 0 };
    }
  }

  /** Told once while it lasts: traces are the least important thing this agent does. */
  #trouble(why: string): void {
    const { config, log } = this.#deps;
    const text = `the trace collector at ${config.endpoint} does not take spans (${why}); jobs are not affected. Check otlp in config.yaml`;
    if (this.#troubled) log.debug({ code: "otlp-unavailable" }, text);
    else log.warn({ code: "otlp-unavailable" }, text);
    this.#troubled = true;
  }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) break;
  }
  return Buffer.concat(chunks).toString();
}

/** Node's fetch puts what really happened into `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "timed out";
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
