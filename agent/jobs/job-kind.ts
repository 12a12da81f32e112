import { type Job, type JobKind, type Outcome, outcome, type Progress } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Host } from "./host.ts";

export type PayloadOf<K extends JobKind> = Extract<Job, { kind: K }>["payload"];
export type ResultOf<K extends JobKind> = Extract<Outcome, { state: "succeeded"; kind: K }>["result"];

/** What a job gets besides its payload. */
export interface JobContext {
  job: Job;
  host: Host;
  /** May be called as often as there is news. */
  report: (progress: Progress) => void;
  /** Fires when the job must stop and clean up. */
  signal: AbortSignal;
  /** An earlier run of this job broke off without cleaning up. */
  interrupted: boolean;
  clock: Clock;
  log: Logger;
}

export interface JobKindOptions<K extends JobKind> {
  /** How many jobs of this kind run at the same time on one host; no bound of its own when absent. */
  atOnce?: number;
  /** Removes what a run that broke off has left, when the job will not run again. */
  cleanUp?: (payload: PayloadOf<K>, host: Host) => Promise<void>;
}

/** One kind of job, ready for the runner. */
export interface RunnableKind {
  readonly atOnce: number;
  run(context: JobContext): Promise<Outcome>;
  cleanUp(job: Job, host: Host): Promise<void>;
}

/** Makes a kind of job out of a function of its payload. What the function answers is checked against the kind's schema. */
export function jobKind<K extends JobKind>(
  kind: K,
  handler: (payload: PayloadOf<K>, context: JobContext) => Promise<ResultOf<K>>,
  { atOnce = Number.POSITIVE_INFINITY, cleanUp }: JobKindOptions<K> = {},
): RunnableKind {
  // The table of kinds is keyed by kind, so the payload is this kind's; the compiler cannot see that through the key.
  const payloadOf = (job: Job) => job.payload as PayloadOf<K>;
  return {
    atOnce,
    run: async (context) => outcome.parse({ state: "succeeded", kind, result: await handler(payloadOf(context.job), context) }),
    cleanUp: async (job, host) => {
      await cleanUp?.(payloadOf(job), host);
    },
  };
}
