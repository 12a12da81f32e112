import type { Instant, Job, JobId, JobKind, Problem, Progress, Traceparent } from "../../schemas/index.ts";
import type { AuditEntry } from "./audit.ts";
import type { Actor, JobFacts, JobState } from "./job-rules.ts";
import { isEnd, LEASE_MS } from "./job-rules.ts";

/** A row of `jobs`, with its JSON read. */
export interface JobRecord extends JobFacts {
  id: JobId;
  key: string;
  host: string;
  server: string | null;
  payload: Job["payload"];
  requestedBy: string;
  message: number | null;
  trace: Traceparent | null;
  lease: string | null;
  createdAt: Instant;
  /** When an agent took it for the first time. */
  startedAt: Instant | null;
  /** When an agent took it last. */
  leasedAt: Instant | null;
  endedAt: Instant | null;
  endedBy: Actor | null;
  cancelBy: string | null;
  progress: Progress | null;
  result: unknown;
  error: Problem | null;
  notice: string | null;
  timeline: TimelineEntry[];
}

/** What a job became. `cancelling`: its holder was asked to stop. */
export type Milestone = JobState | "cancelling";

/** One line of a job's history. */
export interface TimelineEntry {
  at: Instant;
  to: Milestone;
  by: Actor;
  attempt: number;
  /** A code or a notice. */
  why?: string;
}

/** One transition, with the job as it is after it. */
export interface JobStep {
  job: JobRecord;
  /** Null for a new job. */
  from: JobState | null;
  to: Milestone;
  by: Actor;
  why?: string;
}

/** Lines of history that a job keeps: the first, and the newest. An agent that comes and goes makes many. */
export const TIMELINE_MAX = 30;

export function timelineWith(timeline: readonly TimelineEntry[], entry: TimelineEntry): TimelineEntry[] {
  const all = [...timeline, entry];
  return all.length <= TIMELINE_MAX ? all : [...all.slice(0, 1), ...all.slice(1 - TIMELINE_MAX)];
}

/** What the audit tells of a transition. Looks at servers are many, and only their end is worth a row. */
export function auditEntryOf({ job, from, to, by, why }: JobStep): AuditEntry | null {
  if (job.kind === "status" && (to === "cancelling" || !isEnd(to))) return null;
  return {
    kind: "job",
    actor: by,
    allowedBy: null,
    ...(job.server === null ? {} : { server: job.server }),
    host: job.host,
    job: job.id,
    change: { kind: job.kind, from, to, attempt: job.attempt, ...(why === undefined ? {} : { why }), ...askedBy(job, to) },
  };
}

/** Whoever stopped the job ends it in another's name. */
function askedBy({ cancelBy }: JobRecord, to: Milestone): { askedBy?: string } {
  return to === "cancelled" && cancelBy !== null ? { askedBy: `member ${cancelBy}` } : {};
}

/** A job as it is given to an agent. */
export function offerOf(job: JobRecord): Job {
  const lease = { id: job.id, lease: job.lease ?? "", leaseSeconds: LEASE_MS / 1000, attempt: job.attempt, deadline: job.deadline };
  const trace = job.trace === null ? {} : { traceparent: job.trace };
  return { ...lease, ...trace, kind: job.kind, payload: job.payload } as Job;
}

export function jobRecord(row: Record<string, SqlStorageValue>): JobRecord {
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
    trace: text(row.trace),
    attempt: Number(row.attempt),
    handbacks: Number(row.handbacks),
    lease: text(row.lease),
    leaseUntil: number(row.lease_until),
    deadline: Number(row.deadline),
    createdAt: Number(row.created_at),
    startedAt: number(row.started_at),
    leasedAt: number(row.leased_at),
    endedAt: number(row.ended_at),
    endedBy: text(row.ended_by) as Actor | null,
    cancelAt: number(row.cancel_at),
    cancelBy: text(row.cancel_by),
    progress: json(row.progress_json),
    result: json(row.result_json),
    error: json(row.error_json),
    notice: text(row.notice),
    timeline: json(row.timeline_json) ?? [],
  };
}
