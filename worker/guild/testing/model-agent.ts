import type { AnnouncedServer, Job, Outcome, PollRequest, PollResponse } from "../../../schemas/index.ts";
import { HEARTBEAT } from "../../testing/test-agent.ts";

/** As in agent/jobs/runner.ts. */
const MAX_JOBS = 4;
const INTERRUPTIONS_MAX = 3;
const LEASES_MAX = 16;

type Stop = "cancelled" | "stale" | "deadline";

interface Journal {
  job: Job;
  state: "taken" | "running" | "done";
  interruptions: number;
  outcome?: Outcome;
}

export interface Active {
  job: Job;
  begun: boolean;
  stopped?: Stop;
}

/** What a job that ends by itself comes to: the agent's word for it, by kind. */
export type Ending = { state: "succeeded"; outcome: Outcome } | { state: "failed" };

/**
 * An agent as agent/jobs/runner.ts, agent/jobs/active-job.ts and agent/control-plane/outbox.ts say it behaves: it writes a job down before it
 * begins, runs it once, and keeps its result until the guild has taken or refused it. Journal and outbox outlive a restart.
 * It has no slots in which jobs wait for each other: that no two work on one server is what the guild has to see to.
 */
export class ModelAgent {
  readonly host: string;
  readonly servers: AnnouncedServer[];
  readonly active = new Map<string, Active>();
  readonly outbox = new Map<string, { lease: string; outcome: Outcome }>();
  readonly #journal = new Map<string, Journal>();
  readonly #started: (job: Job) => void;

  /** `started` is called whenever a job is set to work. */
  constructor(host: string, servers: AnnouncedServer[], started: (job: Job) => void) {
    this.host = host;
    this.servers = servers;
    this.#started = started;
  }

  get running(): PollRequest["running"] {
    const active = [...this.active.values()].map(({ job }) => ({ job: job.id, lease: job.lease }));
    const waiting = [...this.outbox].filter(([job]) => !this.active.has(job)).map(([job, { lease }]) => ({ job, lease }));
    return [...active, ...waiting].slice(0, LEASES_MAX);
  }

  poll(wait: number): PollRequest {
    const room = Math.max(0, MAX_JOBS - this.active.size);
    return { protocol: 1, heartbeat: HEARTBEAT, servers: this.servers, status: [], running: this.running, wait, room };
  }

  take({ jobs, cancel }: PollResponse): void {
    for (const job of jobs) this.#accept(job);
    for (const id of cancel) this.stop(id, "cancelled");
  }

  stop(id: string, why: Stop): void {
    const active = this.active.get(id);
    if (active !== undefined && active.stopped === undefined) active.stopped = why;
  }

  begin(id: string): void {
    const active = this.active.get(id);
    const entry = this.#journal.get(id);
    if (active === undefined || entry === undefined) return;
    active.begun = true;
    entry.state = "running";
  }

  /** A job at work ends. `noticed`: it saw in time that it was to stop. */
  finish(id: string, ending: Ending, noticed: boolean, now: number): void {
    const active = this.active.get(id);
    if (active === undefined) return;
    if (now >= active.job.deadline) this.stop(id, "deadline");
    this.active.delete(id);
    const { job, stopped } = active;
    const done = ending.state === "succeeded" && !(noticed && stopped !== undefined);
    if (done && stopped !== "stale") this.#settle(job, ending.outcome);
    else if (done) this.#remember(job, ending.outcome);
    else if (stopped === "cancelled") this.#settle(job, { state: "cancelled" });
    else if (stopped === "stale") this.#journal.delete(id);
    else this.#settle(job, failure(stopped === undefined ? "disk-full" : "deadline-passed"));
  }

  /** The process is killed and starts again. */
  kill(): void {
    this.active.clear();
    for (const entry of this.#journal.values()) {
      if (entry.state === "taken") this.#start(entry.job);
      if (entry.state !== "running") continue;
      entry.interruptions += 1;
      if (entry.interruptions < INTERRUPTIONS_MAX) this.#start(entry.job);
      else this.#settle(entry.job, failure("agent-interrupted"));
    }
  }

  /** The process is stopped in order: what is at work is handed back. */
  shutDown(): void {
    for (const { job, stopped } of this.active.values()) {
      if (stopped === undefined) this.#settle(job, { state: "returned", reason: "the agent was stopped" });
      else if (stopped === "cancelled") this.#settle(job, { state: "cancelled" });
      else if (stopped === "deadline") this.#settle(job, failure("deadline-passed"));
      else this.#journal.delete(job.id);
    }
    this.active.clear();
  }

  #accept(job: Job): void {
    const active = this.active.get(job.id);
    const known = this.#journal.get(job.id);
    if (active !== undefined) {
      active.job = job;
      if (known !== undefined) known.job = job;
      return;
    }
    if (known?.state === "done" && known.outcome !== undefined) {
      known.job = job;
      this.outbox.set(job.id, { lease: job.lease, outcome: known.outcome });
      return;
    }
    if (this.active.size >= MAX_JOBS) {
      this.#settle(job, { state: "returned", reason: "the host is busy with other jobs" });
      return;
    }
    this.#journal.set(job.id, { job, state: "taken", interruptions: known?.interruptions ?? 0 });
    this.outbox.delete(job.id);
    this.#start(job);
  }

  #start(job: Job): void {
    this.#started(job);
    this.active.set(job.id, { job, begun: false });
  }

  #settle(job: Job, outcome: Outcome): void {
    if (outcome.state === "returned" || outcome.state === "cancelled") this.#journal.delete(job.id);
    else this.#remember(job, outcome);
    // Under a new place in the order, as the table does.
    this.outbox.delete(job.id);
    this.outbox.set(job.id, { lease: job.lease, outcome });
  }

  #remember(job: Job, outcome: Outcome): void {
    const interruptions = this.#journal.get(job.id)?.interruptions ?? 0;
    this.#journal.set(job.id, { job, state: "done", interruptions, outcome });
  }
}

function failure(code: string): Outcome {
  return { state: "failed", error: { code, message: "It did not work." } };
}
