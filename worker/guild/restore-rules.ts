import type { Instant, Progress } from "../../schemas/index.ts";
import type { RefusalCode } from "../refusals.ts";
import type { JobFacts, JobState } from "./job-rules.ts";
import { isEnd } from "./job-rules.ts";

/** Pure rules of a restore's life in the guild: `planning → asking → restoring → restored`, and every way out of it. */

/** A preview can be confirmed for so long, in milliseconds: beyond it the world has gone on, and the comparison is old. */
export const CONFIRM_MS = 15 * 60_000;
/** Undo works for so long after a restore, in milliseconds. */
export const UNDO_MS = 24 * 60 * 60_000;

/** Who has to confirm a restore: anybody with the right to it, or somebody else than the one who asked. */
export const APPROVALS = ["one", "second-person"] as const;
export type Approval = (typeof APPROVALS)[number];

export type Stage =
  /** The host compares. */
  | "planning"
  /** It could not, or was told to stop. */
  | "unplanned"
  /** The plan says that it cannot be done as things stand. */
  | "refused"
  /** The preview is there, and somebody has to decide. */
  | "asking"
  | "declined"
  /** Nobody decided in time. */
  | "lapsed"
  /** The backup is no longer kept. */
  | "gone"
  | "restoring"
  | "restored"
  | "not-restored";

/** What is written down of a restore. */
export interface RestoreFacts {
  /** Of the job that compares; null when there is none, as for an Undo. */
  planState: JobState | null;
  /** Since when it can be decided. */
  readyAt: Instant | null;
  /** The plan says why it cannot be done. */
  planRefused: boolean;
  backupKept: boolean;
  declinedAt: Instant | null;
  confirmedAt: Instant | null;
  /** Of the job that restores, once it was confirmed. */
  jobState: JobState | null;
}

export function stageOf(facts: RestoreFacts, now: Instant): Stage {
  const { planState, readyAt, jobState } = facts;
  if (facts.confirmedAt !== null) {
    if (jobState === null || !isEnd(jobState)) return "restoring";
    return jobState === "succeeded" ? "restored" : "not-restored";
  }
  if (facts.declinedAt !== null) return "declined";
  if (readyAt === null) return planState === null || isEnd(planState) ? "unplanned" : "planning";
  if (facts.planRefused) return "refused";
  if (now >= readyAt + CONFIRM_MS) return "lapsed";
  return facts.backupKept ? "asking" : "gone";
}

/** What a press of a button does. `show`: nothing but bring the message up to date; whatever was asked for is done or over. */
export type Verdict = "confirm" | "decline" | "stop" | "show" | "second-person";

export function verdictOn(
  press: "confirm" | "cancel",
  stage: Stage,
  who: { member: string; askedBy: string; approval: Approval },
): Verdict {
  if (press === "cancel") {
    if (stage === "asking") return "decline";
    return stage === "planning" || stage === "restoring" ? "stop" : "show";
  }
  if (stage !== "asking") return "show";
  return who.approval === "second-person" && who.member === who.askedBy ? "second-person" : "confirm";
}

/** Why a restore cannot be undone now, or null. `undos`: the stages of those that were asked for before. */
export function undoObjection(
  restore: { stage: Stage; endedAt: Instant | null; hasSafety: boolean },
  undos: readonly Stage[],
  now: Instant,
): RefusalCode | null {
  if (restore.stage !== "restored" || restore.endedAt === null) return "restore-not-done";
  if (!restore.hasSafety) return "restore-undo-none";
  // One that was declined, lapsed or failed has used nothing up.
  if (undos.some((stage) => stage === "restoring" || stage === "restored")) return "restore-undo-used";
  if (undos.includes("asking")) return "restore-undo-asked";
  return now >= restore.endedAt + UNDO_MS ? "restore-undo-late" : null;
}

/** From here on the folders are being exchanged: a restore goes on to its end, or rolls back by itself. */
export const LATE_PHASES: readonly Progress["phase"][] = ["swapping", "starting", "probing", "rolling-back"];

/** Why a restore cannot be stopped now, or null. Others than restores always can. */
export function stopObjection(
  job: Pick<JobFacts, "kind" | "state"> & { lease: string | null; progress: Progress | null },
): RefusalCode | null {
  if (job.kind !== "restore" || isEnd(job.state)) return null;
  // Its holder is silent, and may be anywhere in it: "cancelled" might not be true.
  if (job.state === "queued") return job.lease === null ? null : "restore-silent";
  return job.progress !== null && LATE_PHASES.includes(job.progress.phase) ? "restore-too-late" : null;
}

/** How a restore that did not succeed left the server. */
export type Aftermath =
  /** As it was. */
  | "untouched"
  /** What was there before is back. */
  | "rolled-back"
  /** Neither the old nor the new is in place for sure; the agent has kept both, and its message says what to do. */
  | "stuck"
  /** The host went silent in the middle of it: nobody here can know. */
  | "unknown";

/** What an agent's own codes say of it: schemas/restore.ts. */
const SAID_BY: Readonly<Record<string, Aftermath>> = {
  "restore-rolled-back": "rolled-back",
  "restore-rollback-failed": "stuck",
  "restore-unfinished": "stuck",
};

/** @param ended How the job ended. `startedAt` is null when no agent ever had it. */
export function aftermathOf(ended: {
  state: JobState;
  code: string | null;
  /** The agent said so itself. */
  byHost: boolean;
  startedAt: Instant | null;
  phase: Progress["phase"] | null;
}): Aftermath {
  const said = SAID_BY[ended.code ?? ""];
  if (said !== undefined) return said;
  if (ended.startedAt === null || ended.state === "cancelled") return "untouched";
  if (!ended.byHost) return "unknown";
  return ended.phase !== null && LATE_PHASES.includes(ended.phase) ? "stuck" : "untouched";
}
