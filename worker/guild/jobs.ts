import type { Instant, Job, JobKind, LeaseId, Outcome, Problem, Progress, Traceparent } from "../../schemas/index.ts";
import { newId } from "../../schemas/index.ts";
import { JobReads } from "./job-reads.ts";
import type { JobRecord, JobStep, Milestone } from "./job-record.ts";
import { offerOf, timelineWith } from "./job-record.ts";
import type { Actor, Transition } from "./job-rules.ts";
import { afterOutcome, BY_GUILD, heeds, isEnd, KIND_RULES, LEASE_MS, LEASE_RENEW_AFTER_MS, overdue, requeueMs } from "./job-rules.ts";

export type { JobRecord } from "./job-record.ts";

export interface NewJob {
  /** Idempotency key: the same key again answers the job that exists. */
  key: string;
  kind: JobKind;
  host: string;
  server: string | null;
  payload: Job["payload"];
  /** A member, or BY_GUILD. */
  requestedBy: string;
  message: number | null;
  trace: Traceparent | null;
}

/** Ended jobs are kept so long, in milliseconds. */
const KEEP_ENDED_MS = 30 * 24 * 60 * 60_000;
/** And at most so many, besides those whose end has yet to be shown. */
const KEEP_ENDED_MAX = 1000;

/**
 * The table of jobs. Each method here is one transition, made by a conditional update whose row count is checked. Whoever listens is told of
 * each; call them in one transaction with whatever belongs to it.
 */
export class Jobs extends JobReads {
  readonly #sql: SqlStorage;
  readonly #stepped: (step: JobStep, now: Instant) => void;

  constructor(sql: SqlStorage, stepped: (step: JobStep, now: Instant) => void) {
    super(sql);
    this.#sql = sql;
    this.#stepped = stepped;
  }

  /** When the newest job of a kind for a server was queued; null when none is known. */
  newestOf(server: string, kind: JobKind): Instant | null {
    const { at } = this.#sql.exec("SELECT MAX(created_at) AS at FROM jobs WHERE server_id = ? AND kind = ?", server, kind).one();
    return at === null ? null : Number(at);
  }

  add(job: NewJob, now: Instant): JobRecord {
    const id = newId("job");
    const by: Actor = job.requestedBy === BY_GUILD ? "guild" : `member ${job.requestedBy}`;
    this.#sql.exec(
      `INSERT INTO jobs (id, key, kind, host_id, server_id, payload_json, state, requested_by, message_id, trace, deadline, created_at, timeline_json)
       VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)`,
      ...[id, job.key, job.kind, job.host, job.server, JSON.stringify(job.payload), job.requestedBy, job.message, job.trace],
      ...[now + KIND_RULES[job.kind].queueMs, now, JSON.stringify([{ at: now, to: "queued", by, attempt: 0 }])],
    );
    this.#forgetOld(now);
    const added = this.#must(id);
    this.#stepped({ job: added, from: null, to: "queued", by }, now);
    return added;
  }

  setMessage(id: string, message: number): void {
    this.#sql.exec("UPDATE jobs SET message_id = ? WHERE id = ?", message, id);
  }

  /** Leases a queued job. Null when another claim was faster. */
  claim(id: string, now: Instant): Job | null {
    const job = this.byId(id);
    if (job === null) return null;
    const attempt = job.attempt + 1;
    const claimed = this.#sql.exec(
      `UPDATE jobs SET state = 'leased', lease = ?, lease_until = ?, leased_at = ?, attempt = ?, deadline = ?,
         started_at = COALESCE(started_at, ?), progress_json = NULL, timeline_json = ?
       WHERE id = ? AND state = 'queued' AND cancel_at IS NULL RETURNING id`,
      ...[newId("lease"), now + LEASE_MS, now, attempt, now + KIND_RULES[job.kind].runMs],
      ...[now, this.#timeline({ ...job, attempt }, "leased", `host ${job.host}`, now), id],
    );
    if (claimed.toArray().length === 0) return null;
    this.#voidSilent(job);
    return offerOf(this.#told(job, "leased", `host ${job.host}`, now));
  }

  /** The same lease once more, for an agent that never got the first answer. */
  offerAgain(job: JobRecord): Job | null {
    return job.state === "leased" && job.lease !== null ? offerOf(job) : null;
  }

  /** Shows that the holder of the lease is alive. False when the lease is not (or no longer) the job's. */
  renew(id: string, lease: LeaseId, now: Instant): boolean {
    const job = this.byId(id);
    if (job === null || job.lease !== lease || !heeds(job, "alive")) return false;
    const fresh = (job.leaseUntil ?? 0) - LEASE_MS + LEASE_RENEW_AFTER_MS > now;
    return (fresh && job.state === "running") || this.#hold(job, null, now);
  }

  setProgress(id: string, lease: LeaseId, progress: Progress, now: Instant): boolean {
    const job = this.byId(id);
    return job !== null && job.lease === lease && heeds(job, "alive") && this.#hold(job, progress, now);
  }

  /** Takes an outcome from the holder of the lease. `duplicate` when this lease has ended the job before; `stale` when it never held it, or lost it. */
  finish(id: string, lease: LeaseId, outcome: Outcome, now: Instant): "taken" | "duplicate" | "stale" {
    const job = this.byId(id);
    if (job === null || job.lease !== lease) return "stale";
    if (!heeds(job, outcome.state)) return "duplicate";
    const result = outcome.state === "succeeded" ? outcome.result : null;
    return this.#apply(job, afterOutcome(job, outcome), `host ${job.host}`, now, result) === null ? "stale" : "taken";
  }

  /** Asks for the end of a job: at once when nobody holds it, else the agent is told. Null when it has ended already. */
  cancel(id: string, by: string, now: Instant): "cancelled" | "asked" | null {
    const job = this.byId(id);
    if (job === null || isEnd(job.state)) return null;
    const actor: Actor = `member ${by}`;
    if (job.state === "queued") {
      this.#sql.exec("UPDATE jobs SET cancel_at = ?, cancel_by = ? WHERE id = ?", now, by, id);
      this.#apply({ ...job, cancelAt: now }, { state: "cancelled" }, actor, now, null);
      return "cancelled";
    }
    const asked = this.#sql.exec(
      "UPDATE jobs SET cancel_at = ?, cancel_by = ?, timeline_json = ? WHERE id = ? AND cancel_at IS NULL RETURNING id",
      ...[now, by, this.#timeline(job, "cancelling", actor, now), id],
    );
    if (asked.toArray().length === 1) this.#told(job, "cancelling", actor, now);
    return "asked";
  }

  /** Applies what time alone does to open jobs; answers those that changed. */
  expire(now: Instant): JobRecord[] {
    const due = this.select("WHERE ended_at IS NULL AND (deadline <= ?1 OR lease_until <= ?1) ORDER BY created_at, id", now);
    return due
      .map((job) => {
        const next = overdue(job, now);
        return next === null ? null : this.#apply(job, next, "guild", now, null);
      })
      .filter((job) => job !== null);
  }

  /** Ends the open jobs of a host that is no longer allowed to take them. */
  failAllOf(host: string, error: Problem, by: Actor, now: Instant): JobRecord[] {
    return this.openOf(host)
      .map((job) => this.#apply(job, { state: "failed", error }, by, now, null))
      .filter((job) => job !== null);
  }

  /** When time will next do something to a job: the earliest end of a lease or deadline. */
  nextDue(): Instant | null {
    const row = this.#sql.exec("SELECT MIN(MIN(deadline, COALESCE(lease_until, deadline))) AS at FROM jobs WHERE ended_at IS NULL").one();
    return row.at === null ? null : Number(row.at);
  }

  /** Whoever went silent with a job of the same server may not come back with it any more: the server is another's now. */
  #voidSilent({ id, kind, server }: JobRecord): void {
    if (!KIND_RULES[kind].writes || server === null) return;
    for (const other of this.select("WHERE ended_at IS NULL AND state = 'queued' AND server_id = ? AND lease IS NOT NULL", server)) {
      if (other.id !== id && KIND_RULES[other.kind].writes) this.#sql.exec("UPDATE jobs SET lease = NULL WHERE id = ?", other.id);
    }
  }

  #hold(job: JobRecord, progress: Progress | null, now: Instant): boolean {
    // A job that went back into the queue for silence got a new queue deadline; its holder is back, so that of its run counts again.
    const back = job.state === "queued";
    const deadline = back ? (job.leasedAt ?? now) + KIND_RULES[job.kind].runMs : job.deadline;
    const notice = progress?.notice ?? (back ? "The agent was silent for a while, and is back." : null);
    const by: Actor = `host ${job.host}`;
    const held = this.#sql.exec(
      `UPDATE jobs SET state = 'running', lease_until = ?, deadline = ?, progress_json = COALESCE(?, progress_json), notice = COALESCE(?, notice),
         timeline_json = ?
       WHERE id = ? AND lease = ? AND state = ? RETURNING id`,
      ...[now + LEASE_MS, deadline, progress === null ? null : JSON.stringify(progress), notice],
      ...[job.state === "running" ? JSON.stringify(job.timeline) : this.#timeline(job, "running", by, now), job.id, job.lease, job.state],
    );
    if (held.toArray().length === 0) return false;
    if (job.state !== "running") this.#told(job, "running", by, now);
    return true;
  }

  /** Makes a transition. Answers the job after it, or null when the job has changed meanwhile. */
  #apply(job: JobRecord, next: Transition | { state: "succeeded" }, by: Actor, now: Instant, result: unknown): JobRecord | null {
    const again = next.state === "queued" ? next : null;
    const error = "error" in next ? next.error : null;
    const why = again?.notice ?? error?.code;
    const attempt = again?.attempt ?? job.attempt;
    const updated = this.#sql.exec(
      `UPDATE jobs SET state = ?, ended_at = ?, ended_by = ?, error_json = ?, result_json = ?, attempt = ?, handbacks = ?, notice = ?,
         deadline = ?, lease = ?, lease_until = NULL, timeline_json = ?
       WHERE id = ? AND state = ? AND lease IS ? RETURNING id`,
      ...[next.state, again === null ? now : null, again === null ? by : null, error === null ? null : JSON.stringify(error)],
      ...[result === null ? null : JSON.stringify(result), attempt, again?.handbacks ?? job.handbacks, again?.notice ?? job.notice],
      ...[
        again === null ? job.deadline : now + (again.keepLease ? requeueMs(job.kind) : KIND_RULES[job.kind].queueMs),
        again?.keepLease === false ? null : job.lease,
      ],
      ...[this.#timeline({ ...job, attempt }, next.state, by, now, why), job.id, job.state, job.lease],
    );
    return updated.toArray().length === 0 ? null : this.#told(job, next.state, by, now, why);
  }

  #timeline(job: JobRecord, to: Milestone, by: Actor, at: Instant, why?: string): string {
    return JSON.stringify(timelineWith(job.timeline, { at, to, by, attempt: job.attempt, ...(why === undefined ? {} : { why }) }));
  }

  /** Tells of a transition that was made from `before`. Answers the job as it is now. */
  #told(before: JobRecord, to: Milestone, by: Actor, now: Instant, why?: string): JobRecord {
    const job = this.#must(before.id);
    this.#stepped({ job, from: before.state, to, by, ...(why === undefined ? {} : { why }) }, now);
    return job;
  }

  #forgetOld(now: Instant): void {
    this.#sql.exec("DELETE FROM jobs WHERE ended_at < ?", now - KEEP_ENDED_MS);
    const count = Number(this.#sql.exec("SELECT COUNT(*) AS n FROM jobs").one().n);
    if (count <= KEEP_ENDED_MAX) return;
    // A message is rendered when it is sent: its job has to be there still. An Undo needs its restore, so these go last.
    this.#sql.exec(
      `DELETE FROM jobs WHERE id IN (
         SELECT id FROM jobs WHERE ended_at IS NOT NULL
           AND (message_id IS NULL OR message_id NOT IN (SELECT id FROM messages WHERE next_at IS NOT NULL AND given_up IS NULL))
         ORDER BY kind = 'restore', ended_at LIMIT ?)`,
      count - KEEP_ENDED_MAX,
    );
  }

  #must(id: string): JobRecord {
    const job = this.byId(id);
    if (job === null) throw new Error(`job ${id} is gone`);
    return job;
  }
}
