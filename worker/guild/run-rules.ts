import type { Instant, Problem, RunOutcome } from "../../schemas/index.ts";

/** Pure rules of scheduled runs: `started → succeeded | failed | skipped`. The agent decides; the guild writes down what it is told. */

export type RunState = RunOutcome["state"];

/** Whether a report changes what is known. The agent sends each until it is answered, so one may come twice, or behind the end. */
export function takes(known: RunState | null, reported: RunState): boolean {
  return known === null || (known === "started" && reported !== "started");
}

/** A scheduled backup failed. As long as the same schedule goes on failing, its message counts. */
export interface FailedRunNotice {
  kind: "run-failed";
  host: string;
  server: string;
  schedule: string;
  /** Nominal time of the last one that failed. */
  nominal: Instant;
  problem: Problem;
  at: Instant;
  /** Failures in a row that this message stands for, and when the first was. */
  count: number;
  first: Instant;
  /** When one succeeded again. */
  overAt: Instant | null;
}

/** A failure so much later than what was told is told in a new message, in milliseconds: nobody sees an edit of yesterday's. */
export const TELL_FAILURE_AGAIN_MS = 20 * 60 * 60_000;

type Failure = Omit<FailedRunNotice, "kind" | "count" | "first" | "overAt">;

/** What is told of a failure, and whether that is a new message. */
export function afterFailure(
  told: { notice: FailedRunNotice; toldAt: Instant } | null,
  failure: Failure,
  now: Instant,
): { notice: FailedRunNotice; fresh: boolean } {
  const goesOn = told !== null && told.notice.overAt === null && now - told.toldAt < TELL_FAILURE_AGAIN_MS;
  const row = goesOn ? { count: told.notice.count + 1, first: told.notice.first } : { count: 1, first: failure.at };
  return { notice: { kind: "run-failed", ...failure, ...row, overAt: null }, fresh: !goesOn };
}
