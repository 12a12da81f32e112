import {
  type Job,
  type JobId,
  type LeaseId,
  newId,
  type Outcome,
  type PollRequest,
  type Progress,
  pollRequest,
  progressRequest,
  type Report,
  report,
  resultRequest,
  type Traceparent,
} from "../../schemas/index.ts";
import { type Answer, type Asked, refused } from "./fake-http.ts";

/** A job as the stand-in keeps it. */
export interface FakeJob {
  id: JobId;
  kind: string;
  payload: unknown;
  state: "queued" | "leased" | Outcome["state"];
  lease?: LeaseId;
  attempt: number;
  deadline: number;
  traceparent?: Traceparent;
  cancel: boolean;
  progress: Progress[];
  /** Every outcome that was accepted. */
  outcomes: Outcome[];
  /** Results that were refused because of their lease. */
  staleResults: number;
}

/** Jobs, polls and results, as `schemas/` says the Worker treats them. */
export class FakeJobs {
  readonly jobs = new Map<JobId, FakeJob>();
  readonly polls: PollRequest[] = [];
  readonly reports = new Map<string, Report>();
  leaseSeconds = 90;
  /** How long a second of a poll's wait lasts here, in milliseconds. */
  secondMs = 1000;
  /** Answered in place of a whole job once, for jobs that no schema knows. */
  rawOffers: unknown[] = [];
  problems: { code: string; message: string }[] = [];
  /** Told to agents that say that they know something else. */
  orders: { hash: string; servers: unknown[] } = { hash: "", servers: [] };
  readonly #waiting = new Set<() => void>();

  enqueue(kind: Job["kind"], payload: unknown, given: { deadline?: number; traceparent?: Traceparent } = {}): FakeJob {
    const deadline = given.deadline ?? Date.now() + 3_600_000;
    const job: FakeJob = {
      id: newId("job"),
      kind,
      payload,
      state: "queued",
      attempt: 0,
      deadline,
      traceparent: given.traceparent,
      cancel: false,
      progress: [],
      outcomes: [],
      staleResults: 0,
    };
    this.jobs.set(job.id, job);
    this.#wake();
    return job;
  }

  /** As if its lease had run out: it is given again, under a new one. */
  expire(job: FakeJob): void {
    job.state = "queued";
    job.lease = undefined;
    this.#wake();
  }

  cancel(job: FakeJob): void {
    job.cancel = true;
    this.#wake();
  }

  offerRaw(offer: unknown): void {
    this.rawOffers.push(offer);
    this.#wake();
  }

  /** Polls that are held now. */
  get held(): number {
    return this.#waiting.size;
  }

  async poll({ body, gone }: Asked): Promise<Answer> {
    const asked = pollRequest.parse(JSON.parse(body.toString()));
    this.polls.push(asked);
    const until = Date.now() + asked.wait * this.secondMs;
    for (;;) {
      if (gone.aborted) return { status: 204 };
      const answer = this.#toDo(asked);
      if (answer !== undefined) return { status: 200, json: answer };
      const left = until - Date.now();
      if (left <= 0) return { status: 204 };
      await this.#wait(left, gone);
    }
  }

  progress(id: JobId, { body }: Asked): Answer {
    const { lease, progress } = progressRequest.parse(JSON.parse(body.toString()));
    const job = this.jobs.get(id);
    if (job === undefined) return refused(404, "job-unknown");
    if (job.lease !== lease || job.state !== "leased") return refused(409, "lease-stale");
    job.progress.push(progress);
    return { status: 200, json: { cancel: job.cancel, leaseSeconds: this.leaseSeconds } };
  }

  result(id: JobId, { body }: Asked): Answer {
    const { lease, outcome } = resultRequest.parse(JSON.parse(body.toString()));
    const job = this.jobs.get(id);
    if (job === undefined) return refused(404, "job-unknown");
    if (job.lease !== lease) {
      job.staleResults += 1;
      return refused(409, "lease-stale");
    }
    job.outcomes.push(outcome);
    job.state = outcome.state === "returned" ? "queued" : outcome.state;
    if (outcome.state === "returned") job.lease = undefined;
    return { status: 200, json: {} };
  }

  report({ body }: Asked): Answer {
    const parsed = report.parse(JSON.parse(body.toString()));
    this.reports.set(parsed.key, parsed);
    return { status: 200, json: {} };
  }

  #toDo(asked: PollRequest) {
    const leased = [...this.jobs.values()].filter((job) => job.state === "queued" && !job.cancel).slice(0, asked.room);
    const cancel = asked.running.flatMap(({ job: id, lease }) => {
      const job = this.jobs.get(id);
      return job === undefined || job.cancel || (job.lease !== lease && job.state === "leased") ? [id] : [];
    });
    const raw = this.rawOffers.splice(0);
    const problems = this.problems.splice(0);
    const retention = asked.retention === undefined || asked.retention === this.orders.hash ? undefined : this.orders;
    if (leased.length + cancel.length + raw.length + problems.length === 0 && retention === undefined) return undefined;
    const jobs = leased.map((job) => {
      job.state = "leased";
      job.lease = newId("lease");
      job.attempt += 1;
      const { id, lease, kind, payload, attempt, deadline, traceparent } = job;
      return { id, lease, leaseSeconds: this.leaseSeconds, attempt, deadline, traceparent, kind, payload };
    });
    return { jobs: [...jobs, ...raw], cancel, problems, ...(retention === undefined ? {} : { retention }) };
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  async #wait(ms: number, gone: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#waiting.add(resolve);
    gone.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
  }
}
