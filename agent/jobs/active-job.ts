import { type Job, type Outcome, type Progress, type ProgressResponse, progressResponse } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { readAnswer, refusal } from "../control-plane/answers.ts";
import { retryAfter } from "../control-plane/backoff.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { isFinal } from "../control-plane/poll-loop.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { Work } from "../tracing/work.ts";
import type { Host } from "./host.ts";
import type { RunnableKind } from "./job-kind.ts";
import { JobStopped, outcomeOf, type StopReason } from "./outcomes.ts";
import { ProgressSender } from "./progress.ts";
import type { Slots } from "./slots.ts";

/** What people see when a job runs anew after a crash of the agent. */
export const INTERRUPTED_NOTICE = "started again after the agent was interrupted";

const PROGRESS_TIMEOUT_MS = 15_000;
/** A longer sleep would overflow a timer (2^31 - 1 ms). */
const SLEEP_MAX_MS = 2 ** 31 - 1;

export interface ActiveJobDeps {
  host: Host;
  kind: RunnableKind;
  slots: Slots;
  plane: ControlPlane;
  clock: Clock;
  log: Logger;
  /** What metrics and traces see of it. */
  work: Work;
  interrupted: boolean;
  /** Its turn has come. */
  onBegin: () => void;
  /** Null: nobody wants to hear of it. */
  onEnd: (outcome: Outcome | null) => void;
  onFatal: (error: unknown) => void;
}

/** One job from its start to its outcome: waits for its turn, reports, obeys cancels and its deadline. */
export class ActiveJob {
  /** With the newest lease. */
  job: Job;
  stopped: StopReason | undefined;
  /** Resolves when the outcome has been handed over. Never rejects. */
  ended: Promise<void> = Promise.resolve();
  readonly #deps: ActiveJobDeps;
  readonly #controller = new AbortController();
  #quietUntil = 0;

  constructor(job: Job, deps: ActiveJobDeps) {
    this.job = job;
    this.#deps = deps;
  }

  start(): void {
    this.ended = this.#deps.work.run(() => this.#run()).catch(this.#deps.onFatal);
  }

  /** The first reason counts. */
  stop(why: StopReason): void {
    if (this.stopped !== undefined) return;
    this.stopped = why;
    this.#controller.abort(new JobStopped(why));
  }

  relet(job: Job): void {
    this.job = job;
  }

  async #run(): Promise<void> {
    const { clock, interrupted, onEnd } = this.#deps;
    const done = new AbortController();
    const sender = new ProgressSender({
      send: (progress) => this.#send(progress, done.signal),
      clock,
      leaseSeconds: this.job.leaseSeconds,
      notice: interrupted ? INTERRUPTED_NOTICE : undefined,
    });
    const aside = [sender.run(done.signal), this.#watchDeadline(done.signal)].map((task) => task.catch(this.#deps.onFatal));
    const outcome = await this.#attempt((progress) => {
      this.#deps.work.phase(progress.phase);
      sender.report(progress);
    });
    done.abort();
    await Promise.all(aside);
    onEnd(outcome);
  }

  async #attempt(report: (progress: Progress) => void): Promise<Outcome | null> {
    const { host, kind, slots, clock, log, interrupted, onBegin } = this.#deps;
    const { signal } = this.#controller;
    try {
      if (slots.full) report({ phase: "scanning", done: 0, total: 0, notice: "waits for another backup on the same host" });
      const leave = await slots.take(signal);
      try {
        onBegin();
        return await kind.run({ job: this.job, host, report, signal, interrupted, clock, log });
      } finally {
        leave();
      }
    } catch (error) {
      if (!(error instanceof AgentError) && this.stopped === undefined) log.error({ err: error }, "the job failed unexpectedly");
      else log.debug({ err: error }, "the job threw");
      return outcomeOf(error, this.stopped);
    }
  }

  async #watchDeadline(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    try {
      for (let left = this.job.deadline - clock.now(); left > 0; left = this.job.deadline - clock.now()) {
        await clock.sleep(Math.min(left, SLEEP_MAX_MS), signal);
      }
      this.stop("deadline");
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #send(progress: Progress, signal: AbortSignal): Promise<ProgressResponse | undefined> {
    const { plane, log, clock } = this.#deps;
    const { id, lease } = this.job;
    if (clock.now() < this.#quietUntil) return undefined;
    try {
      const response = await plane.send({
        method: "POST",
        path: `/v1/jobs/${id}/progress`,
        json: { lease, progress },
        signal,
        timeoutMs: PROGRESS_TIMEOUT_MS,
      });
      if (response.ok) {
        const answer = await readAnswer(response, progressResponse);
        if (answer.cancel) this.stop("cancelled");
        return answer;
      }
      this.#quietUntil = clock.now() + retryAfter(response, clock.now());
      const error = await refusal(response);
      // Under a lease that was renewed meanwhile, a refusal of the old one means nothing.
      if ((response.status === 409 || response.status === 404) && lease === this.job.lease) this.stop("stale");
      log.debug({ code: error.code }, `progress was refused: ${error.message}`);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof AgentError)) throw error;
      if (isFinal(error)) this.stop("refused");
      log.debug({ code: error.code }, `progress could not be sent: ${error.message}`);
    }
    return undefined;
  }
}
