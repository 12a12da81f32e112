import * as z from "zod/mini";
import { instant, jobId, leaseId, serverId, uploadId } from "./ids.ts";
import { problem } from "./problem.ts";
import { prunePayload, pruneResult } from "./prune.ts";
import { restorePayload, restorePlan, restorePlanPayload, restoreResult } from "./restore.ts";
import { announcedSchedule, SCHEDULES_PER_SERVER_MAX, scheduledRun, scheduleName } from "./schedules.ts";
import { hostLoad, serverStatus } from "./status.ts";
import { traceparent } from "./trace.ts";
import { verification } from "./verification.ts";

const count = z.int().check(z.nonnegative());
const text = (max: number) => z.string().check(z.maxLength(max));
const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** `quiesced`: saves were held. `stable`: no file changed while it was read. `torn`: at least one did, or vanished. */
export const consistency = z.enum(["quiesced", "stable", "torn"]);
export type Consistency = z.infer<typeof consistency>;

export const tornFile = z.object({ path: text(500), reason: z.enum(["changed", "vanished", "unreadable"]) });
export type TornFile = z.infer<typeof tornFile>;

/** At most so many torn files are named in a result; the manifest has them all. */
export const TORN_FILES_NAMED_MAX = 20;

/** What speaks for a backup's consistency, or against it: so many short texts at most, and characters of each. */
export const EVIDENCE_MAX = 10;
export const EVIDENCE_TEXT_MAX = 200;

// Payloads

export const backupPayload = z.object({ server: serverId, note: z.optional(text(200)) });
export const statusPayload = z.object({ servers: z.array(serverId).check(z.maxLength(50)) });
/** Pauses or resumes one schedule of a server, or all of them. */
export const schedulePayload = z.object({
  server: serverId,
  schedule: z.optional(scheduleName),
  action: z.enum(["pause", "resume"]),
  /** When a pause ends by itself. */
  until: z.optional(instant),
});
export type BackupPayload = z.infer<typeof backupPayload>;
export type StatusPayload = z.infer<typeof statusPayload>;
export type SchedulePayload = z.infer<typeof schedulePayload>;

// Results

/** What every backup tells of itself. */
const backupFacts = {
  server: serverId,
  /** Where it lies, in words for people: a path on the host, `R2`, or an address. */
  place: text(500),
  /** What it takes in the store: the archive, or the packs that came with this snapshot. */
  bytes: count,
  /** Size of the files. */
  sourceBytes: count,
  files: count,
  startedAt: instant,
  durationMs: count,
  consistency,
  /** In words, what the consistency rests on. */
  evidence: z.optional(z.array(text(EVIDENCE_TEXT_MAX)).check(z.maxLength(EVIDENCE_MAX))),
  torn: z.array(tornFile).check(z.maxLength(TORN_FILES_NAMED_MAX)),
  tornCount: count,
  /** Archives or snapshots that retention on the host removed after this success. */
  pruned: z.array(text(200)).check(z.maxLength(100)),
  note: z.optional(text(200)),
  /** `safety`: it was made by a restore of what was there before, so that an Undo can bring it back. */
  purpose: z.optional(z.enum(["safety"])),
  /** What went wrong without failing the backup, in words. */
  warnings: z.array(text(300)).check(z.maxLength(10)),
};

/** A plain archive. */
export const archiveBackup = z.object({
  ...backupFacts,
  format: z.literal("zip"),
  /** File name, such as `island-20261122T143501Z.zip`. */
  archive: z.string().check(z.regex(/^[a-z0-9-]+-[0-9]{8}T[0-9]{6}Z\.zip$/)),
  store: z.enum(["local", "r2"]),
  /** The finished upload, when the store is R2. */
  upload: z.optional(uploadId),
  /** Of the archive, in hex. */
  sha256,
});
export type ArchiveBackup = z.infer<typeof archiveBackup>;

/** A snapshot in a repository. */
export const snapshotBackup = z.object({
  ...backupFacts,
  format: z.literal("repository"),
  /** Id of the snapshot, and of its file. */
  snapshot: sha256,
  store: z.enum(["local", "r2", "url"]),
  /** Content that the repository did not have yet, before compression. The rest of `sourceBytes` is reused. */
  newBytes: count,
  /** Of all packs in the repository, with those of this snapshot. */
  repositoryBytes: count,
});
export type SnapshotBackup = z.infer<typeof snapshotBackup>;

export const backupResult = z.discriminatedUnion("format", [archiveBackup, snapshotBackup]);
export type BackupResult = z.infer<typeof backupResult>;

/** How people call a backup: its archive, or the start of its snapshot's id. */
export function backupName(backup: Pick<ArchiveBackup, "format" | "archive"> | Pick<SnapshotBackup, "format" | "snapshot">): string {
  return backup.format === "zip" ? backup.archive : backup.snapshot.slice(0, SHORT_ID_DIGITS);
}

/** As restic shows ids, in hex digits. */
export const SHORT_ID_DIGITS = 8;

export const statusResult = z.object({ servers: z.array(serverStatus).check(z.maxLength(50)), load: z.optional(hostLoad) });
export type StatusResult = z.infer<typeof statusResult>;

/** The server's schedules as they are now. */
export const scheduleResult = z.object({
  server: serverId,
  schedules: z.array(announcedSchedule).check(z.maxLength(SCHEDULES_PER_SERVER_MAX)),
});
export type ScheduleResult = z.infer<typeof scheduleResult>;

// A job as it is given to an agent

const leased = {
  id: jobId,
  lease: leaseId,
  leaseSeconds: z.int(),
  attempt: z.int(),
  deadline: instant,
  /** The trace that the job belongs to. */
  traceparent: z.optional(traceparent),
};
export const job = z.discriminatedUnion("kind", [
  z.object({ ...leased, kind: z.literal("backup"), payload: backupPayload }),
  z.object({ ...leased, kind: z.literal("status"), payload: statusPayload }),
  z.object({ ...leased, kind: z.literal("schedule"), payload: schedulePayload }),
  z.object({ ...leased, kind: z.literal("restore-plan"), payload: restorePlanPayload }),
  z.object({ ...leased, kind: z.literal("restore"), payload: restorePayload }),
  z.object({ ...leased, kind: z.literal("prune"), payload: prunePayload }),
]);
export type Job = z.infer<typeof job>;
export type JobKind = Job["kind"];

// POST /v1/jobs/:id/progress

export const progress = z.object({
  phase: z.enum([
    "scanning",
    "archiving",
    "uploading",
    "finishing",
    // Of a restore. `staging`: the backup is written beside the world. `saving`: the safety backup. `rolling-back`: what was there before comes back.
    "comparing",
    "staging",
    "stopping",
    "saving",
    "swapping",
    "starting",
    "probing",
    "rolling-back",
  ]),
  /** Bytes of the source done so far, and in all; both 0 while scanning. */
  done: count,
  total: count,
  files: z.optional(count),
  bytesPerSecond: z.optional(z.number().check(z.nonnegative())),
  etaSeconds: z.optional(z.number().check(z.nonnegative())),
  /** Something people should know while it runs, such as "started again after the agent was interrupted". */
  notice: z.optional(text(200)),
});
export type Progress = z.infer<typeof progress>;
export const progressRequest = z.object({ lease: leaseId, progress });
/** `cancel`: stop the job, clean up, and report it as cancelled. */
export const progressResponse = z.object({ cancel: z.boolean(), leaseSeconds: z.int() });
export type ProgressResponse = z.infer<typeof progressResponse>;

// POST /v1/jobs/:id/result

export const outcome = z.discriminatedUnion("state", [
  z.discriminatedUnion("kind", [
    z.object({ state: z.literal("succeeded"), kind: z.literal("backup"), result: backupResult }),
    z.object({ state: z.literal("succeeded"), kind: z.literal("status"), result: statusResult }),
    z.object({ state: z.literal("succeeded"), kind: z.literal("schedule"), result: scheduleResult }),
    z.object({ state: z.literal("succeeded"), kind: z.literal("restore-plan"), result: restorePlan }),
    z.object({ state: z.literal("succeeded"), kind: z.literal("restore"), result: restoreResult }),
    z.object({ state: z.literal("succeeded"), kind: z.literal("prune"), result: pruneResult }),
  ]),
  z.object({ state: z.literal("failed"), error: problem }),
  z.object({ state: z.literal("cancelled") }),
  /** Handed back unfinished: the guild queues it again and does not count the attempt. */
  z.object({ state: z.literal("returned"), reason: text(200) }),
]);
export type Outcome = z.infer<typeof outcome>;
export const resultRequest = z.object({ lease: leaseId, outcome });

// POST /v1/reports: work that no job asked for

/** Idempotency key: a report that comes twice is taken once. */
const reportKey = z.string().check(z.regex(/^[0-9A-Za-z/_.:-]{8,120}$/));

/** How a scheduled run stands. `skipped`: it was not needed, or could not be, and says why. */
export const runOutcome = z.discriminatedUnion("state", [
  z.object({ state: z.literal("started") }),
  z.object({ state: z.literal("succeeded"), endedAt: instant, result: backupResult }),
  z.object({ state: z.literal("failed"), endedAt: instant, error: problem }),
  z.object({ state: z.literal("skipped"), endedAt: instant, reason: z.enum(["unchanged", "busy"]) }),
]);
export type RunOutcome = z.infer<typeof runOutcome>;

export const report = z.discriminatedUnion("kind", [
  /** A backup made by hand on the host. */
  z.object({ key: reportKey, kind: z.literal("backup"), result: backupResult }),
  /** A scheduled run began or ended. The key is `server/schedule/nominal` and stays the same through both. */
  z.object({ key: reportKey, kind: z.literal("run"), run: scheduledRun, outcome: runOutcome, traceparent: z.optional(traceparent) }),
  /** The host looked whether backups could be restored. */
  z.object({ key: reportKey, kind: z.literal("verification"), verification }),
]);
export type Report = z.infer<typeof report>;
