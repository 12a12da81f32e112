import type { JobKind, Outcome, PollRequest } from "../../../schemas/index.ts";

/**
 * What docs/dev/protocol.md says of a job's life, written down a second time and from the outside: what each call may do to a job. The
 * numbers are those of the document, not those of the code.
 */

const LEASE_MS = 90_000;
const DAY_MS = 24 * 60 * 60_000;
const MINUTE_MS = 60_000;
const HANDBACKS_MAX = 10;
export const OPEN_MAX = 200;
export const OPEN_PER_HOST_MAX = 60;

export const KINDS: Record<JobKind, { queueMs: number; runMs: number; attempts: number; writes: boolean }> = {
  backup: { queueMs: DAY_MS, runMs: DAY_MS, attempts: 3, writes: true },
  status: { queueMs: MINUTE_MS, runMs: MINUTE_MS, attempts: 1, writes: false },
  prune: { queueMs: DAY_MS, runMs: DAY_MS, attempts: 2, writes: true },
  schedule: { queueMs: DAY_MS, runMs: MINUTE_MS, attempts: 3, writes: false },
  "restore-plan": { queueMs: 10 * MINUTE_MS, runMs: 60 * MINUTE_MS, attempts: 3, writes: false },
  restore: { queueMs: 60 * MINUTE_MS, runMs: DAY_MS, attempts: 3, writes: true },
};

/** A job's row, as it is looked at after every call. */
export interface Seen {
  id: string;
  kind: JobKind;
  host: string;
  server: string | null;
  state: "queued" | "leased" | "running" | "succeeded" | "failed" | "cancelled" | "expired";
  lease: string | null;
  leaseUntil: number | null;
  deadline: number;
  attempt: number;
  cancelAt: number | null;
  code: string | null;
  message: number | null;
  /** Of its message: how often it was said that it changed. Null when the message is gone. */
  version: number | null;
  /** Its message has something to send, or has sent all. */
  pending: boolean;
}

/** A call of the object, as far as it matters to jobs. `by` is what the audit calls whoever makes it. */
export type Call = { by: string } & (
  | { do: "add" }
  | { do: "cancel"; job: string }
  | { do: "poll"; host: string; running: PollRequest["running"]; room: number }
  | { do: "progress"; host: string; job: string; lease: string }
  | { do: "result"; host: string; job: string; lease: string; outcome: Outcome }
  | { do: "alarm" }
);

/** What else matters: how often the job was handed back before, and which servers were given to a job by this call. */
export interface Around {
  returns: number;
  given: ReadonlySet<string>;
}

/** Why a call may not have made `after` of `before`; null when it may. */
export function wrong(before: Seen | null, after: Seen, call: Call, now: number, { returns, given }: Around): string | null {
  const spec = KINDS[after.kind];
  if (before === null) {
    if (call.do !== "add" || after.state !== "queued") return "appeared out of nothing";
    return after.attempt === 0 && after.lease === null && after.deadline === now + spec.queueMs ? null : "was not queued as it should be";
  }
  if (after.attempt !== before.attempt && after.state !== "leased" && after.state !== "queued") return "changed its attempt";
  if (!hasMoved(before, after, call)) return unmoved(before, after, call, now, given);
  const moved = `${before.state} → ${after.state}`;
  switch (moved) {
    case "queued → leased": {
      const polled = call.do === "poll" && call.host === after.host && call.running.every(({ job }) => job !== after.id);
      if (!polled || before.cancelAt !== null) return "was given away by something else than its host's poll";
      if (after.lease === null || after.lease === before.lease) return "was given away under an old lease";
      return after.attempt === before.attempt + 1 && after.leaseUntil === now + LEASE_MS && after.deadline === now + spec.runMs
        ? null
        : "was given away with a wrong attempt, lease or deadline";
    }
    case "leased → running":
    case "queued → running":
      if (!isWord(before, call)) return "runs without a word of its holder";
      return after.lease === before.lease && after.lease !== null && after.leaseUntil === now + LEASE_MS
        ? null
        : "runs under another lease";
    case "queued → queued":
    case "leased → queued":
    case "running → queued":
      return requeued(before, after, call, now, returns);
    case "failed → succeeded":
      if (before.code !== "agent-lost") return "succeeded after another end";
      return isOutcome(before, call, "succeeded") ? null : "succeeded late without its holder's word";
    case "queued → succeeded":
    case "leased → succeeded":
    case "running → succeeded":
      return isOutcome(before, call, "succeeded") ? null : "succeeded without its holder's word";
    case "queued → cancelled":
      if (call.do === "cancel" && call.job === after.id) return null;
      return isOutcome(before, call, "cancelled") ? null : "was cancelled by nobody";
    case "leased → cancelled":
    case "running → cancelled":
      if (isOutcome(before, call, "cancelled")) return null;
      if (isOutcome(before, call, "returned") && before.cancelAt !== null) return null;
      return call.do === "alarm" && before.cancelAt !== null && silent(before, now) ? null : "was cancelled over its holder's head";
    case "queued → expired":
      return call.do === "alarm" && now >= before.deadline ? null : "expired too early";
    case "queued → failed":
    case "leased → failed":
    case "running → failed":
      return failed(before, after, call, now, returns);
    default:
      return `went ${moved}`;
  }
}

/** Whether a job went through a transition. One that went silent and is then handed back is queued before and after. */
export function hasMoved(before: Seen, after: Seen, call: Call): boolean {
  return before.state !== after.state || (after.state === "queued" && before.lease !== after.lease && call.do === "result");
}

function unmoved(before: Seen, after: Seen, call: Call, now: number, given: ReadonlySet<string>): string | null {
  // Its holder was silent, and its server was given to another job: whoever comes back with the old lease is told to stop.
  const voided = after.state === "queued" && after.lease === null && KINDS[after.kind].writes && given.has(after.server ?? "");
  if (after.lease !== before.lease && !voided) return "changed its lease";
  if (before.lease !== null && before.state === "queued" && given.has(after.server ?? "") && !voided)
    return "kept the lease of a lost server";
  if (after.attempt !== before.attempt) return "changed its attempt";
  if (after.deadline !== before.deadline) return "changed its deadline";
  if (after.cancelAt !== before.cancelAt && !(call.do === "cancel" && call.job === after.id && before.cancelAt === null)) {
    return "was asked to stop by nobody";
  }
  if (after.leaseUntil === before.leaseUntil) return null;
  return isWord(before, call) && after.leaseUntil === now + LEASE_MS ? null : "was renewed without its holder's word";
}

function requeued(before: Seen, after: Seen, call: Call, now: number, returns: number): string | null {
  if (before.cancelAt !== null) return "was queued again though it is to be cancelled";
  if (after.deadline !== now + KINDS[after.kind].queueMs) return "was queued again with a wrong deadline";
  if (call.do === "alarm") {
    if (!silent(before, now)) return "was queued again while its lease held";
    if (before.attempt >= KINDS[after.kind].attempts) return "was queued again with no attempts left";
    return after.lease === before.lease && after.attempt === before.attempt ? null : "lost its lease or attempt to silence";
  }
  if (!isOutcome(before, call, "returned")) return "was queued again by nobody";
  if (returns + 1 >= HANDBACKS_MAX) return "was handed back too often";
  return after.lease === null && after.attempt === before.attempt - 1 ? null : "kept its lease or attempt though it was handed back";
}

function failed(before: Seen, after: Seen, call: Call, now: number, returns: number): string | null {
  if (isOutcome(before, call, "failed")) return null;
  if (isOutcome(before, call, "returned") && returns + 1 >= HANDBACKS_MAX && after.code === "handed-back") return null;
  if (call.do !== "alarm" || before.state === "queued") return "failed without its holder's word";
  if (after.code === "too-long" && now >= before.deadline) return null;
  const lost = silent(before, now) && before.attempt >= KINDS[after.kind].attempts && before.cancelAt === null;
  return after.code === "agent-lost" && lost ? null : "was given up too early";
}

function silent(job: Seen, now: number): boolean {
  return job.leaseUntil !== null && now >= job.leaseUntil;
}

/** A sign of life of the one who holds the job's lease. */
function isWord(job: Seen, call: Call): boolean {
  if (job.lease === null) return false;
  if (call.do === "progress") return call.job === job.id && call.lease === job.lease && call.host === job.host;
  return call.do === "poll" && call.running.some((held) => held.job === job.id && held.lease === job.lease);
}

/** The word of the one who holds the job's lease how it ended. */
function isOutcome(job: Seen, call: Call, state: Outcome["state"]): boolean {
  if (call.do !== "result" || job.lease === null || call.outcome.state !== state) return false;
  return call.job === job.id && call.lease === job.lease && call.host === job.host;
}
