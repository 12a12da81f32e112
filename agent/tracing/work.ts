import type { BackupResult, Outcome, Progress, Traceparent } from "../../schemas/index.ts";
import type { AgentMetrics, EndState } from "../health/agent-metrics.ts";
import { inTrace } from "./context.ts";
import type { Span, Tracer } from "./tracer.ts";

/** What a piece of work is: a job of the guild, or a scheduled run. */
export interface WorkFacts {
  kind: "backup" | "status" | "schedule" | "prune";
  server?: string;
  /** Id of the job. */
  job?: string;
  /** Name of the schedule. */
  schedule?: string;
  /** Where it was asked for; without one it begins a trace of its own. */
  parent?: Traceparent;
}

export interface WorkEnd {
  state: EndState;
  /** Code of what went wrong. */
  code?: string;
  /** Of a backup that succeeded. */
  backup?: BackupResult;
}

/** One job or scheduled run as metrics and traces see it: a span with its phases below it, counted when it ends. */
export class Work {
  readonly #facts: WorkFacts;
  readonly #tracer: Tracer;
  readonly #metrics: AgentMetrics;
  readonly #span: Span;
  #phase: { name: Progress["phase"]; span: Span } | undefined;
  #ended = false;

  constructor(facts: WorkFacts, { tracer, metrics }: { tracer: Tracer; metrics: AgentMetrics }) {
    const { kind, server, job, schedule, parent } = facts;
    this.#facts = facts;
    this.#tracer = tracer;
    this.#metrics = metrics;
    const attributes = { "reconsync.kind": kind, "reconsync.server": server, "reconsync.job": job, "reconsync.schedule": schedule };
    this.#span = tracer.start(`${schedule === undefined ? "job" : "run"} ${kind}`, { parent, kind: "consumer", attributes });
    metrics.jobsRunning.add({ kind }, 1);
  }

  /** Its span: the parent of all that is done for it. */
  get traceparent(): Traceparent {
    return this.#span.traceparent;
  }

  /** Calls `task`; its log lines and requests belong to this work. */
  run<T>(task: () => T): T {
    return inTrace({ traceparent: this.traceparent, job: this.#facts.job }, task);
  }

  /** It has come to this phase. As often as there is news. */
  phase(name: Progress["phase"]): void {
    if (this.#ended || this.#phase?.name === name) return;
    this.#phase?.span.end();
    this.#phase = { name, span: this.#tracer.start(name, { parent: this.traceparent }) };
  }

  /** The first end counts. */
  end({ state, code, backup }: WorkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    const { kind } = this.#facts;
    const error = state === "failed" ? (code ?? "unknown") : undefined;
    this.#phase?.span.end({ error });
    const attributes = { "reconsync.outcome": state, "reconsync.bytes": backup?.bytes, "reconsync.source_bytes": backup?.sourceBytes };
    this.#span.end({ error, attributes });
    this.#metrics.jobsRunning.add({ kind }, -1);
    this.#metrics.jobsEnded.add({ kind, state });
    if (backup !== undefined) this.#metrics.backupDone(backup);
  }
}

/** How a job's outcome reads as an end; null is that of a job that was not ours any more. */
export function endOf(outcome: Outcome | null): WorkEnd {
  if (outcome === null) return { state: "dropped" };
  if (outcome.state === "failed") return { state: "failed", code: outcome.error.code };
  return outcome.state === "succeeded" && outcome.kind === "backup"
    ? { state: "succeeded", backup: outcome.result }
    : { state: outcome.state };
}
