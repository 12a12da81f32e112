import * as z from "zod/mini";
import {
  type Job,
  type JobId,
  type JobKind,
  jobId,
  job as jobSchema,
  type LeaseId,
  leaseId,
  newTraceparent,
  type Outcome,
  traceIdOf,
} from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { Telemetry } from "../health/telemetry.ts";
import type { Logger } from "../logger.ts";
import type { JournalEntry } from "../state/journal-table.ts";
import type { AgentState } from "../state/state.ts";
import { endOf } from "../tracing/work.ts";
import { ActiveJob } from "./active-job.ts";
import type { Host } from "./host.ts";
import { factsOf, workOf } from "./job-facts.ts";
import type { JobKinds } from "./kinds.ts";
import { OddJobs } from "./odd-jobs.ts";
import { failed, type StopReason } from "./outcomes.ts";
import { Slots } from "./slots.ts";

/** Jobs that the agent takes on at the same time, running or waiting for their turn. */
export const MAX_JOBS = 4;
/** After so many interruptions a job is given up. */
export const INTERRUPTIONS_MAX = 3;
/** What a poll may carry (schemas/poll.ts). */
const LEASES_MAX = 16;

export interface RunnerDeps {
  state: Pick<AgentState, "journal" | "outbox" | "uploads" | "backups" | "transaction">;
  host: Host;
  kinds: JobKinds;
  plane: ControlPlane;
  clock: Clock;
  log: Logger;
  /** A result was put into the outbox. */
  onResult: () => void;
  /** Something happened after which the agent must stop. */
  onFatal: (error: unknown) => void;
  telemetry?: Telemetry;
}

/** Does the jobs that the guild gives: each is written down first, runs once, and its outcome goes to the outbox. */
export class JobRunner {
  readonly #deps: RunnerDeps;
  readonly #active = new Map<JobId, ActiveJob>();
  readonly #slots: Record<string, Slots>;
  readonly #telemetry: Telemetry;
  readonly #odd: OddJobs;
  #stopping = false;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    this.#telemetry = deps.telemetry ?? new Telemetry(deps);
    this.#odd = new OddJobs(deps.log);
    this.#slots = Object.fromEntries(Object.entries(deps.kinds).map(([kind, { atOnce }]) => [kind, new Slots(atOnce)]));
  }

  /** How many more jobs it can take. */
  get room(): number {
    return this.#stopping ? 0 : Math.max(0, MAX_JOBS - this.#active.size);
  }

  /** The turns of a kind of job, for work of the same kind that the guild did not ask for. */
  slotsOf(kind: JobKind): Slots {
    return this.#slots[kind] ?? new Slots(1);
  }

  /** Leases to renew: of jobs at work, and of those whose result is not delivered yet. */
  get leases(): { job: JobId; lease: LeaseId }[] {
    const active = [...this.#active.values()].map(({ job }) => ({ job: job.id, lease: job.lease }));
    const waiting = this.#deps.state.outbox.leases().filter(({ job }) => !this.#active.has(job));
    return [...active, ...waiting].slice(0, LEASES_MAX);
  }

  /** Jobs that were not carried out, since the guild should not have given them. */
  get oddJobs(): number {
    return this.#odd.count;
  }

  /** Takes up what a process before this one did not finish. Call once, before the first job. */
  async resume(): Promise<void> {
    for (const entry of this.#deps.state.journal.unfinished()) await this.#resume(entry);
  }

  /** Takes jobs as they came in a poll's answer. */
  accept(offers: readonly unknown[]): void {
    for (const offer of offers) {
      const parsed = jobSchema.safeParse(offer);
      // A control plane that knows no traces gives none: it begins here, and is journaled with the job.
      if (parsed.success) this.#accept({ traceparent: newTraceparent(), ...parsed.data });
      else this.#refuse(offer);
    }
  }

  /** The guild wants these to stop: cancelled, or given to somebody else. */
  cancel(ids: readonly JobId[]): void {
    for (const id of ids) this.#active.get(id)?.stop("cancelled");
  }

  /** Takes no more jobs and resolves when none is at work any more. */
  async idle(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#active.values()].map((active) => active.ended));
  }

  /** Stops every job at work. */
  stopAll(why: StopReason): void {
    this.#stopping = true;
    for (const active of this.#active.values()) active.stop(why);
  }

  #accept(job: Job): void {
    const { state, clock, log, onResult } = this.#deps;
    const facts = { ...factsOf(job), attempt: job.attempt };
    const active = this.#active.get(job.id);
    if (active !== undefined) {
      // The guild thought it lost. It is at work: go on under the new lease.
      log.info(facts, "the job came again while it is at work; it goes on under its new lease");
      state.journal.relet(job);
      active.relet(job);
      return;
    }
    const known = state.journal.get(job.id);
    if (known?.state === "done") {
      log.info(facts, "the job came again after it was done; its result is sent again");
      state.transaction(() => {
        state.journal.relet(job);
        state.outbox.putResult(job.id, job.lease, known.outcome, clock.now());
      });
      onResult();
      return;
    }
    if (this.room === 0) {
      log.warn(facts, "more jobs came than there is room for; this one is handed back");
      const outcome: Outcome = { state: "returned", reason: "the host is busy with other jobs" };
      this.#telemetry.work(workOf(job)).end(endOf(outcome));
      this.#settle(job, outcome);
      return;
    }
    state.transaction(() => {
      state.journal.take(job, clock.now());
      state.outbox.removeResult(job.id);
    });
    log.info(facts, "took a job");
    this.#start(job, known !== undefined);
  }

  /** A job that this version cannot read is refused by its id and lease, when it has them. */
  #refuse(offer: unknown): void {
    const { state, clock, log, onResult } = this.#deps;
    const named = z.object({ id: jobId, lease: leaseId, kind: z.optional(z.string()) }).safeParse(offer);
    if (!named.success) {
      this.#odd.note("unreadable");
      log.error("the control plane sent a job that cannot be read; update this agent");
      return;
    }
    const { id, lease, kind } = named.data;
    const known = kind !== undefined && kind in this.#deps.kinds;
    const outcome = known
      ? failed("bad-job", `this agent cannot read the ${kind} job; update it`)
      : failed("unknown-job-kind", `this agent does not know the job kind "${(kind ?? "").slice(0, 40)}"; update it`);
    this.#odd.note(known ? "unreadable" : "unknown-kind", { job: id, kind });
    log.error({ job: id, kind }, "the control plane sent a job that this version does not know");
    state.outbox.putResult(id, lease, outcome, clock.now());
    onResult();
  }

  async #resume({ job, state: reached }: JournalEntry): Promise<void> {
    const { state, log, host, kinds } = this.#deps;
    if (reached === "taken") {
      this.#start(job, false);
      return;
    }
    const interruptions = state.journal.interrupted(job.id);
    const facts = { ...factsOf(job), interruptions };
    if (interruptions < INTERRUPTIONS_MAX) {
      log.warn(facts, "the agent was interrupted in the middle of this job; it starts again");
      this.#start(job, true);
      return;
    }
    log.error(facts, "the agent was interrupted in the middle of this job too often; it is given up");
    await kinds[job.kind].cleanUp(job, host).catch((error: unknown) => log.warn({ ...facts, err: error }, "could not clean up"));
    const outcome = failed(
      "agent-interrupted",
      `the agent was interrupted ${interruptions} times in the middle of this job; see its log on the host, then start it again`,
    );
    this.#telemetry.work(workOf(job)).end(endOf(outcome));
    this.#settle(job, outcome);
  }

  #start(job: Job, interrupted: boolean): void {
    const { host, kinds, plane, clock, log, state, onFatal } = this.#deps;
    const work = this.#telemetry.work(workOf(job));
    const active = new ActiveJob(job, {
      host,
      kind: kinds[job.kind],
      slots: this.slotsOf(job.kind),
      plane,
      clock,
      log: log.child({ job: job.id, trace: traceIdOf(work.traceparent) }),
      work,
      interrupted,
      onBegin: () => state.journal.begin(job.id),
      onEnd: (outcome) => {
        this.#active.delete(job.id);
        work.end(endOf(outcome));
        this.#end(active, outcome);
      },
      onFatal,
    });
    this.#active.set(job.id, active);
    active.start();
  }

  #end({ job, stopped }: ActiveJob, outcome: Outcome | null): void {
    const { state, clock, log } = this.#deps;
    if (outcome === null) {
      log.warn({ ...factsOf(job), why: stopped }, "the job is not ours any more; it was stopped and its result is dropped");
      state.journal.forget(job.id);
    } else if (stopped === "stale" && outcome.state === "succeeded") {
      // It was done before the word came. Should the guild ask again, the answer is there.
      log.warn(factsOf(job), "the job was done when the guild had given it up already; its result is kept and not sent");
      state.transaction(() => this.#finish(job, outcome, clock.now()));
    } else {
      this.#settle(job, outcome);
    }
  }

  /** Writes the outcome down. From now on its archive is told of, and stays. */
  #finish(job: Job, outcome: Outcome, now: number): void {
    const { journal, uploads, backups } = this.#deps.state;
    journal.finish(job.id, outcome, now);
    if (outcome.state !== "succeeded" || outcome.kind !== "backup") return;
    uploads.told(outcome.result);
    backups.put(outcome.result);
  }

  #settle(job: Job, outcome: Outcome): void {
    const { state, clock, log, onResult } = this.#deps;
    const now = clock.now();
    state.transaction(() => {
      // A job handed back runs again when it comes again. So does a cancelled one: the guild would not give it again had it meant the
      // job and not its stale lease.
      if (outcome.state === "returned" || outcome.state === "cancelled") state.journal.forget(job.id);
      else this.#finish(job, outcome, now);
      state.outbox.putResult(job.id, job.lease, outcome, now);
    });
    if (outcome.state === "failed" && outcome.error.code === "unknown-server")
      this.#odd.note("unknown-server", { job: job.id, kind: job.kind });
    const facts = { ...factsOf(job), ...(outcome.state === "failed" ? { code: outcome.error.code } : {}) };
    if (outcome.state === "failed") log.error(facts, `the job failed: ${outcome.error.message}`);
    else log.info(facts, `the job ended: ${outcome.state}`);
    onResult();
  }
}
