import type { JobKind } from "../../schemas/index.ts";
import { backupJob } from "./backup.ts";
import type { RunnableKind } from "./job-kind.ts";
import { pruneJob } from "./prune.ts";
import { restoreJob, restorePlanJob } from "./restore.ts";
import { scheduleJob } from "./schedule.ts";
import { statusJob } from "./status.ts";

export type JobKinds = Readonly<Record<JobKind, RunnableKind>>;

/** Every kind of job that this agent can do. */
export const JOB_KINDS: JobKinds = {
  backup: backupJob,
  status: statusJob,
  schedule: scheduleJob,
  "restore-plan": restorePlanJob,
  restore: restoreJob,
  prune: pruneJob,
};
