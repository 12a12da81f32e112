import type { Instant, Job, JobId, JobKind, LeaseId, Outcome, Problem, Progress } from "../../schemas/index.ts";
import { newId } from "../../schemas/index.ts";
import type { JobFacts, JobState, Transition } from "./job-rules.ts";
import { afterOutcome, dueAt, heeds, isEnd, KIND_LIMITS, LEASE_MS, LEASE_RENEW_AFTER_MS, overdue } from "./job-rules.ts";

/** A row of `jobs`, with its JSON read. */
export interface JobRecord extends JobFacts {
  id: JobId;
  key: string;
  host: string;
  server: string | null;
  payload: Job["payload"];
  requestedBy: string;
  message: number | null;
  lease: string | null;
  createdAt: Instant;
  startedAt: Instant | null;
  endedAt: Instant | null;
  progress: Progress | null;
  result: unknown;
  error: Problem | null;
  notice: string | null;
}

export interface NewJob {
  /** Idempotency key: the same key again answers the job that exists. */
  key: string;
  kind: JobKind;
  host: string;
  server: string | null;
  payload: Job["payload"];
  requestedBy: string;
  message: number | null;
}

/** Ended jobs are kept so long, in milliseconds. */
const KEEP_ENDED_MS = 30 * 24 * 60 * 60_000;
/** And at most so many. */
const KEEP_ENDED_MAX = 1000;

/** The table of jobs. Each method is one transition, made by a conditional update whose row count is checked. */
export class Jobs {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  byId(id: string): JobRecord | null {
    return this.#select("WHERE id = ?", id)[0] ?? null;
  }

  byKey(key: string): JobRecord | null {
    return this.#select("WHERE key = ?", key)[0] ?? null;
  }

  byMessage(message: number): JobRecord[] {
    return this.#select("WHERE message_id = ?", message);
  }

  /** Jobs that have not ended, oldest first. */
  open(): JobRecord[] {
    return this.#select("WHERE ended_at IS NULL ORDER BY created_at, id");
  }

  openOf(host: string): JobRecord[] {
    return this.#select("WHERE ended_at IS NULL AND host_id = ? ORDER BY created_at, id", host);
  }

  openBackupOf(server: string): JobRecord | null {
    return this.#select("WHERE ended_at IS NULL AND kind = 'backup' AND server_id = ?", server)[0] ?? null;
  }

  countOpen(): number {
    return Number(this.#sql.exec("SELECT COUNT(*) AS n FROM jobs WHERE ended_at IS NULL").one().n);
  }

  add(job: NewJob, now: Instant): JobRecord {
    const id = newId("job");
    this.#sql.exec(
      `INSERT INTO jobs (id, key, kind, host_id, server_id, payload_json, state, requested_by, message_id, deadline, created_at)
       VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?)`,
      ...[id, job.key, job.kind, job.host, job.server, JSON.stringify(job.payload), job.requestedBy, job.message],
      ...[now + KIND_LIMITS[job.kind].queueMs, now],
    );
    this.#forgetOld(now);
    return this.#must(id);
  }

  setMessage(id: string, message: number): void {
    this.#sql.exec("UPDATE jobs SET message_id = ? WHERE id = ?", message, id);
  }

  /** Leases a queued job. Null when another claim was faster. */
  claim(id: string, now: Instant): Job | null {
    const lease = newId("lease");
    const job = this.byId(id);
    if (job === null) return null;
    const claimed = this.#sql.exec(
      `UPDATE jobs SET state = 'leased', lease = ?, lease_until = ?, attempt = attempt + 1, deadline = ?, started_at = COALESCE(started_at, ?), progress_json = NULL
       WHERE id = ? AND state = 'queued' AND cancel_at IS NULL RETURNING id`,
      ...[lease, now + LEASE_MS, now + KIND_LIMITS[job.kind].runMs, now, id],
    );
    return claimed.toArray().length === 1 ? offer(this.#must(id)) : null;
  }

  /** The same lease once more, for an agent that never got the first answer. */
  offerAgain(job: JobRecord): Job | null {
    return job.state === "leased" && job.lease !== null ? offer(job) : null;
  }

  /** Shows that the holder of the lease is alive. False when the lease is not (or no longer) the job's. */
  renew(id: string, lease: LeaseId, now: Instant): boolean {
    const job = this.byId(id);
    if (job === null || job.lease !== lease || !heeds(job, "alive")) return false;
    const fresh = (job.leaseUntil ?? 0) - LEASE_MS + LEASE_RENEW_AFTER_MS > now;
    if (fresh && job.state === "running") return true;
    return this.#hold(job, lease, now);
  }

  setProgress(id: string, lease: LeaseId, progress: Progress, now: Instant): boolean {
    const job = this.byId(id);
    if (job === null || job.lease !== lease || !heeds(job, "alive") || !this.#hold(job, lease, now)) return false;
    this.#sql.exec(
      "UPDATE jobs SET progress_json = ?, notice = COALESCE(?, notice) WHERE id = ?",
      ...[JSON.stringify(progress), progress.notice ?? null, id],
    );
    return true;
  }

  /** Takes an outcome from the holder of the lease. `duplicate` when this lease has ended the job before; `stale` when it never held it, or lost it. */
  finish(id: string, lease: LeaseId, outcome: Outcome, now: Instant): "taken" | "duplicate" | "stale" {
    const job = this.byId(id);
    if (job === null || job.lease !== lease) return "stale";
    if (!heeds(job, outcome.state)) return "duplicate";
    const next = afterOutcome(job, outcome);
    const result = outcome.state === "succeeded" ? outcome.result : null;
    return this.#apply(job, next, now, result) ? "taken" : "stale";
  }

  /** Asks for the end of a job: at once when nobody holds it, else the agent is told. Null when it has ended already. */
  cancel(id: string, by: string, now: Instant): "cancelled" | "asked" | null {
    const job = this.byId(id);
    if (job === null || isEnd(job.state)) return null;
    this.#sql.exec("UPDATE jobs SET cancel_at = COALESCE(cancel_at, ?), cancel_by = COALESCE(cancel_by, ?) WHERE id = ?", now, by, id);
    if (job.state !== "queued") return "asked";
    this.#apply({ ...job, cancelAt: now }, { state: "cancelled" }, now, null);
    return "cancelled";
  }

  /** Applies what time alone does to open jobs; answers those that changed. */
  expire(now: Instant): JobRecord[] {
    const changed: JobRecord[] = [];
    for (const job of this.open()) {
      const next = overdue(job, now);
      if (next !== null && this.#apply(job, next, now, null)) changed.push(this.#must(job.id));
    }
    return changed;
  }

  /** Ends the open jobs of a host that is no longer allowed to take them. */
  failAllOf(host: string, error: Problem, now: Instant): JobRecord[] {
    const open = this.openOf(host);
    for (const job of open) this.#apply(job, { state: "failed", error }, now, null);
    return open.map((job) => this.#must(job.id));
  }

  nextDue(): Instant | null {
    const due = this.open()
      .map(dueAt)
      .filter((at) => at !== null);
    return due.length === 0 ? null : Math.min(...due);
  }

  #hold(job: JobRecord, lease: LeaseId, now: Instant): boolean {
    // A job that went back into the queue for silence got a new queue deadline; its holder is back, so it has its run time again.
    const deadline = job.state === "queued" ? now + KIND_LIMITS[job.kind].runMs : job.deadline;
    const held = this.#sql.exec(
      "UPDATE jobs SET state = 'running', lease_until = ?, deadline = ? WHERE id = ? AND lease = ? AND state = ? RETURNING id",
      ...[now + LEASE_MS, deadline, job.id, lease, job.state],
    );
    return held.toArray().length === 1;
  }

  #apply(job: JobRecord, next: Transition | { state: "succeeded" }, now: Instant, result: unknown): boolean {
    const ended = next.state === "queued" ? null : now;
    const error = "error" in next ? JSON.stringify(next.error) : null;
    const attempt = next.state === "queued" ? next.attempt : job.attempt;
    const notice = next.state === "queued" ? next.notice : job.notice;
    const deadline = next.state === "queued" ? now + KIND_LIMITS[job.kind].queueMs : job.deadline;
    const lease = next.state === "queued" && !next.keepLease ? null : job.lease;
    const updated = this.#sql.exec(
      `UPDATE jobs SET state = ?, ended_at = ?, error_json = ?, result_json = ?, attempt = ?, notice = ?, deadline = ?, lease = ?, lease_until = NULL
       WHERE id = ? AND state = ? AND lease IS ? RETURNING id`,
      ...[next.state, ended, error, result === null ? null : JSON.stringify(result), attempt, notice, deadline, lease],
      ...[job.id, job.state, job.lease],
    );
    return updated.toArray().length === 1;
  }

  #forgetOld(now: Instant): void {
    this.#sql.exec("DELETE FROM jobs WHERE ended_at < ?", now - KEEP_ENDED_MS);
    const count = Number(this.#sql.exec("SELECT COUNT(*) AS n FROM jobs").one().n);
    if (count <= KEEP_ENDED_MAX) return;
    this.#sql.exec(
      "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE ended_at IS NOT NULL ORDER BY ended_at LIMIT ?)",
      count - KEEP_ENDED_MAX,
    );
  }

  #must(id: string): JobRecord {
    const job = this.byId(id);
    if (job === null) throw new Error(`job ${id} is gone`);
    return job;
  }

  #select(where: string, ...bindings: unknown[]): JobRecord[] {
    return this.#sql
      .exec(`SELECT * FROM jobs ${where}`, ...bindings)
      .toArray()
      .map(record);
  }
}

function record(row: Record<string, SqlStorageValue>): JobRecord {
  const json = (value: SqlStorageValue | undefined) => (typeof value === "string" ? JSON.parse(value) : null);
  const text = (value: SqlStorageValue | undefined) => (typeof value === "string" ? value : null);
  const number = (value: SqlStorageValue | undefined) => (typeof value === "number" ? value : null);
  return {
    id: String(row.id),
    key: String(row.key),
    kind: row.kind as JobKind,
    host: String(row.host_id),
    server: text(row.server_id),
    payload: json(row.payload_json),
    state: row.state as JobState,
    requestedBy: String(row.requested_by),
    message: number(row.message_id),
    attempt: Number(row.attempt),
    lease: text(row.lease),
    leaseUntil: number(row.lease_until),
    deadline: Number(row.deadline),
    createdAt: Number(row.created_at),
    startedAt: number(row.started_at),
    endedAt: number(row.ended_at),
    cancelAt: number(row.cancel_at),
    progress: json(row.progress_json),
    result: json(row.result_json),
    error: json(row.error_json),
    notice: text(row.notice),
  };
}

function offer(job: JobRecord): Job {
  const lease = { id: job.id, lease: job.lease ?? "", leaseSeconds: LEASE_MS / 1000, attempt: job.attempt, deadline: job.deadline };
  return { ...lease, kind: job.kind, payload: job.payload } as Job;
}
