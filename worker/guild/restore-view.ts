import type { Instant, Problem, Progress, RestorePlan, RestoreResult } from "../../schemas/index.ts";
import type { Format } from "../discord/text.ts";
import type { JobRecord } from "./job-record.ts";
import type { JobState } from "./job-rules.ts";
import { isEnd } from "./job-rules.ts";
import type { Presence } from "./presence.ts";
import type { Aftermath, Approval, Stage } from "./restore-rules.ts";
import { aftermathOf, CONFIRM_MS, stageOf, stopObjection, UNDO_MS } from "./restore-rules.ts";
import type { Chosen, ChosenBackup, RestoreRecord } from "./restores.ts";
import type { Tables } from "./tables.ts";

/** The job that a restore's message shows: the one that compares, then the one that restores. */
export interface RestoreJobView {
  id: string;
  state: JobState;
  cancelling: boolean;
  /** It can be stopped now. */
  stoppable: boolean;
  /** Its host went silent in the middle of it, and may come back. */
  silent: boolean;
  attempt: number;
  createdAt: Instant;
  startedAt: Instant | null;
  endedAt: Instant | null;
  deadline: Instant;
  progress: Progress | null;
  notice: string | null;
  error: Problem | null;
}

/** A restore as its message shows it, from the question to the result. */
export interface RestoreView {
  format: Format;
  kind: "restore";
  id: string;
  stage: Stage;
  server: string;
  serverName: string;
  hostName: string;
  hostOnline: boolean;
  hostSeenAt: Instant | null;
  backup: ChosenBackup;
  chosen: Chosen;
  paths: string[];
  player: string | null;
  to: string | null;
  askedBy: string;
  declinedBy: string | null;
  confirmedBy: string | null;
  approval: Approval;
  plan: RestorePlan | null;
  confirmUntil: Instant | null;
  job: RestoreJobView | null;
  result: RestoreResult | null;
  /** How it left the server, when it did not succeed. */
  aftermath: Aftermath | null;
  /** It waits for a backup of the same server. */
  behindBackup: boolean;
  /** What became of its Undo; null when it has none. `by`: who asked for it last. */
  undo: { state: "open" | "asked" | "running" | "done"; by: string | null; until: Instant } | null;
}

/** Which stage a restore is in now. */
export function stageIn({ jobs, backups }: Tables, restore: RestoreRecord, now: Instant): Stage {
  const stateOf = (job: string | null) => (job === null ? null : (jobs.byId(job)?.state ?? null));
  const { backup, planJob, job, readyAt, declinedAt, confirmedAt, plan } = restore;
  return stageOf(
    {
      planState: stateOf(planJob),
      jobState: stateOf(job),
      readyAt,
      declinedAt,
      confirmedAt,
      planRefused: plan?.refused !== undefined,
      // One whose row has not come yet was made a moment ago.
      backupKept: backup.id === null || backups.isKept(backup.id) === true,
    },
    now,
  );
}

/** Null when its job is too old to be kept. */
export function restoreView(restore: RestoreRecord, tables: Tables, presence: Presence, format: Format, now: Instant): RestoreView | null {
  const { jobs, servers, hosts } = tables;
  const { id, server, payload, backup, chosen, askedBy, declinedBy, confirmedBy, plan, readyAt } = restore;
  const jobId = restore.job ?? restore.planJob;
  const job = jobId === null ? null : jobs.byId(jobId);
  if (restore.job !== null && job === null) return null;
  const host = hosts.byId(restore.host);
  const sight = host === null ? null : presence.of(host, now);
  const stage = stageIn(tables, restore, now);
  const result = stage === "restored" ? (job?.result as RestoreResult | null) : null;
  const active = jobs.openBackupOf(server);
  return {
    format,
    kind: "restore",
    id,
    stage,
    server,
    serverName: servers.byId(server)?.name ?? server,
    hostName: host?.name ?? restore.host,
    hostOnline: sight?.online ?? false,
    hostSeenAt: sight?.seenAt ?? null,
    backup,
    chosen,
    paths: payload.paths ?? [],
    player: payload.player ?? null,
    to: payload.to ?? null,
    askedBy,
    declinedBy,
    confirmedBy,
    approval: tables.settings.get().restoreApproval,
    plan,
    confirmUntil: readyAt === null ? null : readyAt + CONFIRM_MS,
    job: job === null ? null : jobViewOf(job),
    result,
    aftermath: stage === "not-restored" && job !== null ? aftermathIn(job) : null,
    behindBackup: stage === "restoring" && job?.state === "queued" && active !== null,
    undo: undoOf(restore, stage, job, result, tables, now),
  };
}

function jobViewOf(job: JobRecord): RestoreJobView {
  const { id, state, attempt, createdAt, startedAt, endedAt, deadline, progress, notice, error } = job;
  const cancelling = job.cancelAt !== null && !isEnd(state);
  const objection = stopObjection(job);
  const stoppable = !isEnd(state) && !cancelling && objection === null;
  const silent = objection === "restore-silent";
  return { id, state, cancelling, stoppable, silent, attempt, createdAt, startedAt, endedAt, deadline, progress, notice, error };
}

function aftermathIn({ state, error, endedBy, host, startedAt, progress }: JobRecord): Aftermath {
  return aftermathOf({ state, code: error?.code ?? null, byHost: endedBy === `host ${host}`, startedAt, phase: progress?.phase ?? null });
}

function undoOf(
  restore: RestoreRecord,
  stage: Stage,
  job: JobRecord | null,
  result: RestoreResult | null,
  tables: Tables,
  now: Instant,
): RestoreView["undo"] {
  if (stage !== "restored" || result?.safety === undefined || job?.endedAt == null) return null;
  const until = job.endedAt + UNDO_MS;
  const undos = tables.restores.undosOf(restore.id).map((undo) => ({ by: undo.askedBy, stage: stageIn(tables, undo, now) }));
  const found = (wanted: Stage) => undos.findLast((undo) => undo.stage === wanted);
  const done = found("restored");
  if (done !== undefined) return { state: "done", by: done.by, until };
  const running = found("restoring");
  if (running !== undefined) return { state: "running", by: running.by, until };
  const asked = found("asking");
  return asked === undefined ? { state: "open", by: null, until } : { state: "asked", by: asked.by, until };
}
