import type { JobKind, Outcome, Problem } from "../../schemas/index.ts";

/** Pure rules of a job's life: `queued → leased → running → succeeded | failed | cancelled | expired`. */

export type JobState = "queued" | "leased" | "running" | EndState;
export type EndState = "succeeded" | "failed" | "cancelled" | "expired";

/** How long a claim holds without a word from the agent: longer than one held poll (50 s) and its retry. */
export const LEASE_MS = 90_000;
/** A lease is written again only when this much of it is used up, to save rows. */
export const LEASE_RENEW_AFTER_MS = 20_000;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** `queueMs`: longest wait for an agent. `runMs`: longest run. `attempts`: claims before the job fails. */
export const KIND_LIMITS: Record<JobKind, { queueMs: number; runMs: number; attempts: number }> = {
  backup: { queueMs: 24 * HOUR, runMs: 24 * HOUR, attempts: 3 },
  status: { queueMs: MINUTE, runMs: MINUTE, attempts: 1 },
};

export interface JobFacts {
  kind: JobKind;
  state: JobState;
  attempt: number;
  deadline: number;
  leaseUntil: number | null;
  cancelAt: number | null;
}

export type Transition =
  /** `keepLease`: the last holder may still come back with it, as long as nobody else has claimed the job. */
  | { state: "queued"; notice: string; attempt: number; keepLease: boolean }
  | { state: "cancelled" }
  | { state: "expired"; error: Problem }
  | { state: "failed"; error: Problem };

/** What time alone does to a job; null when nothing is due. */
export function overdue(job: JobFacts, now: number): Transition | null {
  if (job.state === "queued") {
    if (now < job.deadline) return null;
    return {
      state: "expired",
      error: { code: "host-offline", message: "The host did not come back in time. Check that the agent runs there, then try again." },
    };
  }
  if (job.state !== "leased" && job.state !== "running") return null;
  if (now >= job.deadline) {
    return { state: "failed", error: { code: "too-long", message: "The job ran into its time limit and was given up." } };
  }
  if (job.leaseUntil !== null && now < job.leaseUntil) return null;
  if (job.cancelAt !== null) return { state: "cancelled" };
  if (job.attempt >= KIND_LIMITS[job.kind].attempts) {
    return {
      state: "failed",
      error: {
        code: "agent-lost",
        message: `The agent went silent in the middle of the job (attempt ${job.attempt}). Check the agent's log on the host, then try again.`,
      },
    };
  }
  return {
    state: "queued",
    notice: "The agent went silent, so the job waits to be taken up again.",
    attempt: job.attempt,
    keepLease: true,
  };
}

/** When time will next do something to the job, in milliseconds since the epoch; null for an ended job. */
export function dueAt(job: JobFacts): number | null {
  if (job.state === "queued") return job.deadline;
  if (job.state !== "leased" && job.state !== "running") return null;
  return Math.min(job.deadline, job.leaseUntil ?? job.deadline);
}

/** What an agent's outcome does to the job that it holds. */
export function afterOutcome(job: JobFacts, outcome: Outcome): Transition | { state: "succeeded" } {
  switch (outcome.state) {
    case "succeeded":
      return { state: "succeeded" };
    case "cancelled":
      return { state: "cancelled" };
    case "failed":
      return { state: "failed", error: outcome.error };
    case "returned":
      if (job.cancelAt !== null) return { state: "cancelled" };
      // Handing back is no failure, so the attempt does not count.
      return {
        state: "queued",
        notice: `Handed back by the agent: ${outcome.reason}`,
        attempt: Math.max(0, job.attempt - 1),
        keepLease: false,
      };
  }
}

/**
 * Whether a word from the holder of the job's last lease still counts. It does while the job runs, while it waits to be claimed anew,
 * and for a success also after the job was given up for silence: the work is done, and saying "failed" would be wrong.
 */
export function heeds(job: JobFacts & { error: Problem | null }, word: "alive" | Outcome["state"]): boolean {
  if (job.state === "queued" || job.state === "leased" || job.state === "running") return true;
  return word === "succeeded" && job.state === "failed" && job.error?.code === "agent-lost";
}

export function isEnd(state: JobState): state is EndState {
  return state === "succeeded" || state === "failed" || state === "cancelled" || state === "expired";
}
