import type {
  BackupPayload,
  BackupResult,
  Instant,
  JobKind,
  Problem,
  Progress,
  PruneResult,
  RestorePayload,
  RestorePlan,
  RestorePlanPayload,
  RestoreResult,
  SchedulePayload,
  ScheduleResult,
  StatusResult,
} from "../../schemas/index.ts";
import type { Format } from "../discord/text.ts";
import type { TimelineEntry } from "./job-record.ts";
import type { JobState } from "./job-rules.ts";
import type { RunState } from "./run-rules.ts";
import type { BackupJobView } from "./views.ts";

/** What people are shown of jobs by `/jobs`. */

/** One job in a list. */
export interface JobLine {
  job: string;
  kind: JobKind;
  /** Names of the servers that it is about. */
  servers: string[];
  hostName: string;
  state: JobState;
  cancelling: boolean;
  attempt: number;
  attemptsMax: number;
  requestedBy: string;
  createdAt: Instant;
  endedAt: Instant | null;
  /** Why it did not succeed. */
  code: string | null;
}

/** What the job was to do, and what came of it. */
export type JobWork =
  | { kind: "backup"; payload: BackupPayload; result: BackupResult | null }
  | { kind: "status"; result: StatusResult | null }
  | { kind: "restore-plan"; payload: RestorePlanPayload; result: RestorePlan | null }
  | { kind: "restore"; payload: RestorePayload; result: RestoreResult | null }
  | { kind: "schedule"; payload: SchedulePayload; result: ScheduleResult | null }
  | { kind: "prune"; result: PruneResult | null };

/** Everything that is known of a job. */
export interface JobView extends JobLine {
  format: Format;
  hostOnline: boolean;
  hostSeenAt: Instant | null;
  startedAt: Instant | null;
  deadline: Instant;
  /** Until when the holder's silence is borne; null when nobody holds it. */
  leaseUntil: Instant | null;
  progress: Progress | null;
  notice: string | null;
  error: Problem | null;
  /** The 32 digits by which logs are searched. */
  traceId: string | null;
  /** With the name of the host in place of its id. */
  timeline: (Omit<TimelineEntry, "by"> & { by: string })[];
  work: JobWork;
  /** What the job's own message shows, when it is a backup. */
  backup: BackupJobView | null;
  /** It can be stopped now. */
  stoppable: boolean;
}

/** A scheduled backup. Hosts make them without being asked, so they are no jobs of the guild. */
export interface RunLine {
  server: string;
  schedule: string;
  hostName: string;
  state: RunState;
  nominal: Instant;
  endedAt: Instant | null;
  /** Why it did not succeed. */
  why: string | null;
}

export interface JobListView {
  format: Format;
  filter: { server?: string; state?: JobStateFilter };
  page: number;
  pages: number;
  count: number;
  jobs: JobLine[];
  /** The newest, on the first page of a list that is not narrowed to a state. */
  runs: RunLine[];
}

/** By what `/jobs list` can be narrowed, and the states that each stands for. */
export const STATE_FILTERS = {
  open: ["queued", "leased", "running"],
  waiting: ["queued"],
  running: ["leased", "running"],
  succeeded: ["succeeded"],
  failed: ["failed", "expired"],
  cancelled: ["cancelled"],
} as const satisfies Record<string, readonly JobState[]>;
export type JobStateFilter = keyof typeof STATE_FILTERS;

export function isStateFilter(text: string): text is JobStateFilter {
  return Object.hasOwn(STATE_FILTERS, text);
}
