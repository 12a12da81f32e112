import type { Outcome, Problem } from "../../schemas/index.ts";
import { AgentError } from "../errors.ts";

/**
 * Why a job was stopped. `cancelled`: the guild wants it to stop. `stale`: it is not ours any more. `deadline`: its time is up.
 * `shutdown`: the agent stops and hands it back. `refused`: the guild does not know this host any more.
 */
export type StopReason = "cancelled" | "stale" | "deadline" | "shutdown" | "refused";

/** The reason that a job's signal carries. */
export class JobStopped extends AgentError {
  override readonly name = "JobStopped";
  readonly why: StopReason;

  constructor(why: StopReason) {
    super(`job-${why}`, `the job was stopped: ${why}`);
    this.why = why;
  }
}

/** Longest code and message that a problem may have (schemas/problem.ts). */
const CODE_MAX = 64;
const MESSAGE_MAX = 1000;

/** What people have to hear of also when the job was cancelled or out of time by then: it had gone too far to be stopped. */
const TOLD_IN_ANY_CASE: ReadonlySet<string> = new Set(["restore-rolled-back", "restore-rollback-failed"]);

/** What a job that threw comes to; null when nobody wants to hear of it. */
export function outcomeOf(error: unknown, stopped: StopReason | undefined): Outcome | null {
  if ((stopped === "cancelled" || stopped === "deadline") && error instanceof AgentError && TOLD_IN_ANY_CASE.has(error.code)) {
    return failed(error.code, error.message);
  }
  switch (stopped) {
    case "cancelled":
      return { state: "cancelled" };
    case "shutdown":
      return { state: "returned", reason: "the agent was stopped" };
    case "deadline":
      return failed(
        "deadline-passed",
        "the job did not end before its deadline and was stopped; start it again when the host is less busy",
      );
    case "stale":
    case "refused":
      return null;
    case undefined: {
      const { code, message } = problemOf(error);
      return failed(code, message);
    }
  }
}

export function failed(code: string, message: string): Outcome {
  return { state: "failed", error: { code: code.slice(0, CODE_MAX), message: message.slice(0, MESSAGE_MAX) } };
}

/** What people are told of an error. One that nobody foresaw has its stack in the log. */
export function problemOf(error: unknown): Problem {
  if (error instanceof AgentError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal-error", message: `something unexpected happened: ${message}. The agent's log on the host says more` };
}
