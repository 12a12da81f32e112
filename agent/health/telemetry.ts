import { POLL_WAIT_MAX_S, type Problem, type Traceparent } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { HostConfig, OtlpConfig } from "../config/host-config.ts";
import type { Fetch } from "../control-plane/exchange.ts";
import type { Logger } from "../logger.ts";
import type { AgentState } from "../state/state.ts";
import { SpanExporter } from "../tracing/exporter.ts";
import { tracedFetch } from "../tracing/traced-fetch.ts";
import { Tracer } from "../tracing/tracer.ts";
import { Work, type WorkFacts } from "../tracing/work.ts";
import { VERSION } from "../version.ts";
import { AgentMetrics, type PollOutcome, type ScheduleTimes } from "./agent-metrics.ts";
import { Beats } from "./beats.ts";
import { whyNotReady } from "./readiness.ts";
import { type HealthFacts, reply } from "./routes.ts";
import { HealthServer } from "./server.ts";

/** The last spans may take so long to send when the agent stops, in milliseconds. */
const FLUSH_MS = 5000;
/** Traces of so many jobs are remembered, the newest, for their results. */
const TRACES_KEPT_MAX = 256;

export interface TelemetryDeps {
  clock: Clock;
  /** Milliseconds that never jump. */
  monotonic?: () => number;
}

/** What is served and sent, once the agent has a state and a log. */
export interface ServedDeps {
  state: Pick<AgentState, "identity" | "outbox" | "backups" | "verifications">;
  log: Logger;
  fetch?: Fetch;
  random?: () => number;
}

/** Health, metrics and traces of one process. Without `serve` it only counts. */
export class Telemetry {
  readonly metrics = new AgentMetrics();
  readonly tracer: Tracer;
  readonly beats: Beats;
  /** How the schedules stand. Whoever runs them sets it. */
  schedules: () => readonly ScheduleTimes[] = () => [];
  /** Jobs that were not carried out, since no good control plane would give them. Whoever counts them sets it. */
  oddJobs: () => number = () => 0;
  readonly #clock: Clock;
  readonly #monotonic: () => number;
  readonly #startedTick: number;
  readonly #traces = new Map<string, Traceparent>();
  #served: { deps: ServedDeps; server: HealthServer } | undefined;
  #exporter: { config: OtlpConfig; exporter: SpanExporter } | undefined;
  #retired: Promise<void> = Promise.resolve();
  #polledTick: number | undefined;
  #config: { problem: Problem | undefined } | undefined;
  #stopping = false;

  constructor({ clock, monotonic = () => performance.now() }: TelemetryDeps) {
    this.#clock = clock;
    this.#monotonic = monotonic;
    this.#startedTick = monotonic();
    this.tracer = new Tracer({ clock, monotonic });
    this.beats = new Beats(monotonic);
  }

  /** A job or a scheduled run begins. */
  work(facts: WorkFacts): Work {
    const work = new Work(facts, this);
    if (facts.job !== undefined) this.#remember(facts.job, work.traceparent);
    return work;
  }

  /** The trace of a job that this process worked on lately. */
  traceOf(job: string): Traceparent | undefined {
    return this.#traces.get(job);
  }

  /** A `fetch` for the Worker: its requests are counted and traced. */
  fetch(inner: Fetch = fetch): Fetch {
    return tracedFetch({ fetch: inner, clock: this.#clock, tracer: this.tracer, metrics: this.metrics });
  }

  /** A poll is about to begin. */
  polling(): void {
    this.beats.beat("polls", POLL_WAIT_MAX_S * 1000);
  }

  polled(outcome: PollOutcome): void {
    this.polling();
    this.metrics.polls.add({ outcome });
    if (outcome !== "work" && outcome !== "empty") return;
    this.#polledTick = this.#monotonic();
    this.metrics.lastPoll.set({}, this.#clock.now() / 1000);
  }

  /** The agent was asked to stop: it is not ready any more. */
  stopping(): void {
    this.#stopping = true;
  }

  /** Serves health and metrics and sends traces, as the config says, until `stop`. */
  serve(config: HostConfig, deps: ServedDeps): void {
    const { state, log, random = Math.random } = deps;
    this.metrics.attach(VERSION, {
      uptimeSeconds: () => this.#uptimeSeconds,
      components: () => this.#components(),
      outbox: () => {
        const oldestAt = state.outbox.oldestAt();
        const oldestAgeSeconds = oldestAt === undefined ? 0 : Math.max(0, (this.#clock.now() - oldestAt) / 1000);
        return { messages: state.outbox.size, oldestAgeSeconds };
      },
      schedules: () => this.schedules(),
      oddJobs: () => this.oddJobs(),
      lastBackups: () => state.backups.all(),
      verifications: () => state.verifications.all(),
    });
    const answer = (method: string, target: string) => reply(method, target, () => this.#facts());
    const server = new HealthServer({ answer, clock: this.#clock, log: log.child({ component: "health" }), random });
    this.#served = { deps, server };
    this.follow(config, undefined);
  }

  /** The config in force, and why the one on the disk is not, after each change of either. */
  follow(config: HostConfig, problem: Problem | undefined): void {
    const before = this.#config;
    this.#config = { problem };
    const failed = problem !== undefined && problem.message !== before?.problem?.message;
    if (before !== undefined && (failed || problem === undefined)) {
      this.metrics.configReloads.add({ outcome: failed ? "failed" : "succeeded" });
    }
    this.metrics.configGood.set({}, problem === undefined ? 1 : 0);
    if (problem !== undefined) return;
    this.metrics.configAt.set({}, this.#clock.now() / 1000);
    this.metrics.setServers(config.servers.map(({ id }) => id));
    this.#served?.server.apply(config.health);
    this.#export(config.otlp);
  }

  /** Ends the server, and sends the last spans within a bound. */
  async stop(): Promise<void> {
    this.#export(undefined);
    await Promise.all([this.#served?.server.stop(), this.#retired]);
  }

  #remember(job: string, traceparent: Traceparent): void {
    this.#traces.delete(job);
    this.#traces.set(job, traceparent);
    const [oldest] = this.#traces.keys();
    if (this.#traces.size > TRACES_KEPT_MAX && oldest !== undefined) this.#traces.delete(oldest);
  }

  #export(config: OtlpConfig | undefined): void {
    if (sameOtlp(config, this.#exporter?.config) || this.#served === undefined) return;
    const { log, fetch: inner = fetch, random = Math.random, state } = this.#served.deps;
    const retired = this.#exporter?.exporter;
    if (retired !== undefined) this.#retired = Promise.all([this.#retired, retired.stop(FLUSH_MS)]).then(() => undefined);
    this.tracer.sink = undefined;
    this.#exporter = undefined;
    if (config === undefined) return;
    const attributes = {
      "service.name": config.serviceName,
      "service.version": VERSION,
      "service.instance.id": state.identity.get()?.host,
    };
    const exporter = new SpanExporter({
      ...{ config, clock: this.#clock, log: log.child({ component: "traces" }), fetch: inner, random },
      resource: { attributes, scope: { name: "reconsync", version: VERSION } },
      onExported: (spans) => this.metrics.spansExported.add({}, spans),
      onDropped: (spans) => this.metrics.spansDropped.add({}, spans),
    });
    this.#exporter = { config, exporter };
    this.tracer.sink = (span) => exporter.push(span);
  }

  get #uptimeSeconds(): number {
    return (this.#monotonic() - this.#startedTick) / 1000;
  }

  #facts(): HealthFacts {
    return {
      version: VERSION,
      uptimeSeconds: this.#uptimeSeconds,
      loops: this.beats.states,
      notReady: this.#notReady(),
      metrics: () => this.metrics.registry.render(),
    };
  }

  #notReady(): Problem[] {
    const identity = this.#served?.deps.state.identity.get();
    return whyNotReady({
      enrolled: identity !== undefined && identity.revokedAt === undefined,
      stopping: this.#stopping,
      configProblem: this.#config?.problem,
      sincePollMs: this.#polledTick === undefined ? undefined : this.#monotonic() - this.#polledTick,
    });
  }

  /** The loops, and what readiness looks at. */
  #components() {
    const codes = new Set(this.#notReady().map(({ code }) => code));
    const works = (component: string, up: boolean) => ({ component, value: up ? 1 : 0 });
    return [
      works("control_plane", !["not-enrolled", "no-poll-yet", "poll-overdue"].some((code) => codes.has(code))),
      works("config_file", !codes.has("config-invalid")),
      ...this.beats.states.map(({ loop, lateSeconds }) => works(loop, lateSeconds === 0)),
    ];
  }
}

function sameOtlp(a: OtlpConfig | undefined, b: OtlpConfig | undefined): boolean {
  const key = (it: OtlpConfig | undefined) =>
    it && JSON.stringify([it.endpoint, it.serviceName, Object.entries(it.headers).map(([name, secret]) => [name, secret.reveal()])]);
  return key(a) === key(b);
}
