import type { Traceparent } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { AgentError } from "../errors.ts";
import { Telemetry } from "../health/telemetry.ts";
import type { Logger } from "../logger.ts";
import type { OutboxEntry } from "../state/outbox-table.ts";
import type { AgentState } from "../state/state.ts";
import { inTrace } from "../tracing/context.ts";
import { refusal } from "./answers.ts";
import { backoff, retryAfter } from "./backoff.ts";
import { Bell } from "./bell.ts";
import type { ControlPlane } from "./control-plane.ts";
import { isFinal } from "./poll-loop.ts";

/** A message that nobody took for so long is dropped, in milliseconds. */
export const OUTBOX_KEEP_MS = 7 * 24 * 60 * 60 * 1000;
/** Another process may have put a message there: look at least this often, in milliseconds. */
const LOOK_AGAIN_MS = 30_000;
const DELIVERY_TIMEOUT_MS = 30_000;
/** Refusals that mean "not now"; any other 4xx stays what it is however often it is tried. */
const TEMPORARY: ReadonlySet<number> = new Set([401, 408, 425, 429]);
/** An owner can lift these: the result must still be there then. */
const TEMPORARY_CODES: ReadonlySet<string> = new Set(["address-not-allowed", "control-plane-odd-answer"]);

export interface OutboxDeps {
  state: Pick<AgentState, "outbox" | "journal">;
  plane: ControlPlane;
  clock: Clock;
  log: Logger;
  /** At least 0, below 1. */
  random: () => number;
  telemetry?: Telemetry;
}

/** Delivers what waits in the outbox table, until the control plane has taken or refused it. */
export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #bell: Bell;
  readonly #telemetry: Telemetry;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
    this.#telemetry = deps.telemetry ?? new Telemetry(deps);
    this.#bell = new Bell(deps.clock);
  }

  /** Something was put into the table. */
  ring(): void {
    this.#bell.ring();
  }

  /** Everything is tried at once: the control plane can be reached again. */
  hurry(): void {
    this.#deps.state.outbox.hurry(this.#deps.clock.now());
    this.#bell.ring();
  }

  /**
   * Delivers until the signal fires.
   * @throws AgentError `host-revoked`, `not-enrolled`
   */
  async run(signal: AbortSignal): Promise<void> {
    const { state, clock } = this.#deps;
    const { beats } = this.#telemetry;
    while (!signal.aborted) {
      this.#dropOld();
      await this.#deliverDue(signal);
      beats.beat("outbox", LOOK_AGAIN_MS);
      const nextAt = state.outbox.nextAt() ?? Number.POSITIVE_INFINITY;
      await this.#bell.wait(Math.min(LOOK_AGAIN_MS, Math.max(0, nextAt - clock.now())), signal);
    }
    beats.done("outbox");
  }

  /** Tries everything that waits once, within a bound. Answers how many messages still wait. */
  async flush(timeoutMs: number): Promise<number> {
    const { state, clock, log } = this.#deps;
    state.outbox.hurry(clock.now());
    try {
      await this.#deliverDue(AbortSignal.timeout(timeoutMs));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      log.warn({ code: error.code }, `results could not be delivered: ${error.message}`);
    }
    return state.outbox.size;
  }

  async #deliverDue(signal: AbortSignal): Promise<void> {
    const { state, clock } = this.#deps;
    while (!signal.aborted) {
      const entry = state.outbox.nextDue(clock.now());
      if (entry === undefined) return;
      this.#telemetry.beats.beat("outbox", DELIVERY_TIMEOUT_MS);
      try {
        const again = await this.#deliver(entry, signal);
        if (again !== undefined) state.outbox.delay(entry.id, clock.now() + again);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof AgentError) || isFinal(error)) throw error;
        this.#failed(entry, error);
        // Whoever did not answer this one does not answer the next either.
        return;
      }
    }
  }

  /** As a part of the work that the message tells of. Answers as `#send`. */
  async #deliver(entry: OutboxEntry, signal: AbortSignal): Promise<number | undefined> {
    const { kind, ref } = entry;
    const job = kind === "result" ? ref : undefined;
    const span = this.#telemetry.tracer.start(`deliver ${kind}`, {
      parent: this.#traceOf(entry),
      kind: "producer",
      attributes: { "reconsync.job": job, "reconsync.attempts": entry.attempts + 1 },
    });
    const { traceparent } = span;
    try {
      const again = await inTrace({ traceparent, job }, () => this.#send(entry, traceparent, signal));
      span.end({ error: again === undefined ? undefined : "not-delivered-yet" });
      return again;
    } catch (error) {
      span.end({ error: error instanceof AgentError ? error.code : "unknown" });
      throw error;
    }
  }

  #traceOf(entry: OutboxEntry): Traceparent | undefined {
    if (entry.kind === "report") return entry.body.kind === "run" ? entry.body.traceparent : undefined;
    return this.#telemetry.traceOf(entry.ref) ?? this.#deps.state.journal.get(entry.ref)?.job.traceparent;
  }

  /** Answers nothing when the message is settled, or how long to wait until it is tried again. */
  async #send(entry: OutboxEntry, traceparent: Traceparent, signal: AbortSignal): Promise<number | undefined> {
    const { state, plane, clock, log, random } = this.#deps;
    const { events } = this.#telemetry.metrics;
    const path = entry.kind === "result" ? `/v1/jobs/${entry.ref}/result` : "/v1/reports";
    const request = { method: "POST", path, json: entry.body, traceparent, signal, timeoutMs: DELIVERY_TIMEOUT_MS } as const;
    const response = await plane.send(request);
    const facts = { [entry.kind === "result" ? "job" : "report"]: entry.ref };
    if (response.ok) {
      await response.body?.cancel();
      state.outbox.remove(entry.id);
      events.add({ kind: entry.kind, outcome: "delivered" });
      log.debug(facts, "delivered");
      return undefined;
    }
    const error = await refusal(response);
    if (isFinal(error)) throw error;
    if (TEMPORARY.has(response.status) || response.status >= 500 || TEMPORARY_CODES.has(error.code)) {
      log.debug({ ...facts, code: error.code, attempts: entry.attempts + 1 }, `not delivered yet: ${error.message}`);
      return Math.max(backoff(entry.attempts + 1, random()), retryAfter(response, clock.now()));
    }
    state.outbox.remove(entry.id);
    events.add({ kind: entry.kind, outcome: "refused" });
    if (response.status === 409)
      log.warn({ ...facts, code: error.code }, `the control plane does not want this result any more: ${error.message}`);
    else log.error({ ...facts, code: error.code }, `the control plane refused this for good: ${error.message}`);
    return undefined;
  }

  #failed(entry: OutboxEntry, error: AgentError): void {
    const { state, clock, log, random } = this.#deps;
    state.outbox.delay(entry.id, clock.now() + backoff(entry.attempts + 1, random()));
    log.debug({ ref: entry.ref, code: error.code, attempts: entry.attempts + 1 }, `not delivered yet: ${error.message}`);
  }

  #dropOld(): void {
    const { state, clock, log } = this.#deps;
    for (const { kind, ref } of state.outbox.drop(clock.now() - OUTBOX_KEEP_MS)) {
      this.#telemetry.metrics.events.add({ kind, outcome: "expired" });
      log.error({ kind, ref }, "dropped a message that the control plane did not take in 7 days, or that was too many");
    }
    state.journal.trim(clock.now());
  }
}
