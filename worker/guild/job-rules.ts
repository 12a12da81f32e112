import type { JobKind, Outcome, Problem } from "../../schemas/index.ts";

/** Pure rules of a job's life: `queued → leased → running → succeeded | failed | cancelled | expired`. */

export type JobState = "queued" | "leased" | "running" | EndState;
export type EndState = "succeeded" | "failed" | "cancelled" | "expired";

/** Who brought a job from one state to another. `guild` is what time alone does. */
export type Actor = "guild" | `member ${string}` | `host ${string}`;

/** Who asked for a job that the guild gives by itself. */
export const BY_GUILD = "guild";

/** How long a claim holds without a word from the agent: longer than one held poll (50 s) and its retry. */
export const LEASE_MS = 90_000;
/** A lease is written again only when this much of it is used up, to save rows. */
export const LEASE_RENEW_AFTER_MS = 20_000;
/** A job that agents hand back so often fails. Handing back is no failure, but it must not go on for ever. */
export const HANDBACKS_MAX = 10;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What holds for all jobs of a kind. */
export interface KindRule {
  /** Longest wait for an agent, in milliseconds. */
  queueMs: number;
  /** Longest run of one claim, in milliseconds. */
  runMs: number;
  /** Claims before the job fails. */
  attempts: number;
  /** The highest is given away first, then the oldest. */
  priority: number;
  /** It needs its server for itself: no two such jobs work on one server at a time. It may take long. */
  writes: boolean;
  /** Asked of a host that is away: answered without a job at once, or queued until the host is back. */
  offline: "refuse" | "wait";
  /** Longest wait for an agent that went silent with it, in milliseconds; `queueMs` when it is left out. */
  requeueMs?: number;
  /** What a silent agent does with it to the host cannot be known here: nobody says then that it was cancelled. */
  unsure?: true;
}

export const KIND_RULES: Record<JobKind, KindRule> = {
  status: { queueMs: MINUTE, runMs: MINUTE, attempts: 1, priority: 2, writes: false, offline: "refuse" },
  schedule: { queueMs: 24 * HOUR, runMs: MINUTE, attempts: 3, priority: 1, writes: false, offline: "wait" },
  prune: { queueMs: 24 * HOUR, runMs: 24 * HOUR, attempts: 2, priority: -1, writes: true, offline: "wait" },
  backup: { queueMs: 24 * HOUR, runMs: 24 * HOUR, attempts: 3, priority: 0, writes: true, offline: "wait" },
  "restore-plan": { queueMs: 10 * MINUTE, runMs: HOUR, attempts: 3, priority: 1, writes: false, offline: "refuse" },
  // Nobody expects one that begins long after it was confirmed. Once begun it has to end: its agent journals it, and goes on or rolls back.
  restore: {
    ...{ queueMs: HOUR, requeueMs: 24 * HOUR, runMs: 24 * HOUR, attempts: 3, priority: 1 },
    ...{ writes: true, offline: "refuse", unsure: true },
  },
};

/** Longest wait of a job that goes back into the queue, in milliseconds. */
export function requeueMs(kind: JobKind): number {
  return KIND_RULES[kind].requeueMs ?? KIND_RULES[kind].queueMs;
}

export interface JobFacts {
  kind: JobKind;
  state: JobState;
  attempt: number;
  /** How often it was handed back. */
  handbacks: number;
  deadline: number;
  leaseUntil: number | null;
  cancelAt: number | null;
}

export type Transition =
  /** `keepLease`: the last holder may still come back with it, as long as nobody else has claimed the job. */
  | { state: "queued"; notice: string; attempt: number; handbacks: number; keepLease: boolean }
  | { state: "cancelled" }
  | { state: "expired"; error: Problem }
  | { state: "failed"; error: Problem };

/** What time alone does to a job; null when nothing is due. */
export function overdue(job: JobFacts, now: number): Transition | null {
  if (job.state === "queued") {
    if (now < job.deadline) return null;
    return {
      state: "expired",
      error: { code: "host-offline", message: "No agent took the job up in time. Check that the agent runs on the host, then try again." },
    };
  }
  if (job.state !== "leased" && job.state !== "running") return null;
  if (now >= job.deadline) {
    return { state: "failed", error: { code: "too-long", message: "The job ran into its time limit and was given up." } };
  }
  if (job.leaseUntil !== null && now < job.leaseUntil) return null;
  if (job.cancelAt !== null && KIND_RULES[job.kind].unsure !== true) return { state: "cancelled" };
  if (job.attempt >= KIND_RULES[job.kind].attempts) {
    return {
      state: "failed",
      error: {
        code: "agent-lost",
        message: `The agent went silent in the middle of the job (attempt ${job.attempt}). Check the agent's log on the host, then try again.`,
      },
    };
  }
  const notice = `The agent went silent in attempt ${job.attempt}.`;
  return { state: "queued", notice, attempt: job.attempt, handbacks: job.handbacks, keepLease: true };
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
      return job.cancelAt === null ? handedBack(job, outcome.reason) : { state: "cancelled" };
  }
}

function handedBack(job: JobFacts, reason: string): Transition {
  const handbacks = job.handbacks + 1;
  if (handbacks >= HANDBACKS_MAX) {
    const message = `The agent handed the job back ${handbacks} times, the last time because ${reason}. Check the agent's log on the host, then try again.`;
    return { state: "failed", error: { code: "handed-back", message } };
  }
  // Handing back is no failure, so the attempt does not count.
  const attempt = Math.max(0, job.attempt - 1);
  return { state: "queued", notice: `Handed back by the agent: ${reason}`, attempt, handbacks, keepLease: false };
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
