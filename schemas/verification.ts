import * as z from "zod/mini";
import { instant, serverId } from "./ids.ts";
import { backupRef } from "./restore.ts";

/** What a host tells of its looks at backups: whether they could be restored. */

const count = z.int().check(z.nonnegative());
const text = (max: number) => z.string().check(z.maxLength(max));

/**
 * `daily`: the whole structure of the store and a share of its data. `drill`: the newest backup, restored into a scratch folder and looked at as a game
 * would. The structure of a new backup is looked at when it is made: one that does not pass is a failed backup, `backup-unverified`.
 */
export const verificationCheck = z.enum(["daily", "drill"]);
export type VerificationCheck = z.infer<typeof verificationCheck>;

/** What a file that came out of a backup is looked at for. */
export const gameCheckKind = z.enum(["sqlite", "region", "nbt", "json", "gzip", "zip"]);
export type GameCheckKind = z.infer<typeof gameCheckKind>;

/** At most so many problems are named in a report; all are counted. */
export const VERIFICATION_PROBLEMS_MAX = 10;

export const verificationProblem = z.object({
  /** `store`: the stored backup is damaged or incomplete. `restore`: it did not come out as it should. The others: a game check that failed. */
  kind: z.enum(["store", "restore", ...gameCheckKind.options]),
  /** A file in the backup, relative to the server's folder; or the broken object in the store. */
  path: z.optional(text(500)),
  detail: text(300),
  /** The backup itself says that this file changed while it was read. */
  torn: z.optional(z.boolean()),
});
export type VerificationProblem = z.infer<typeof verificationProblem>;

export const verification = z.object({
  server: serverId,
  check: verificationCheck,
  /** `put-off`: it could not be done, and `reason` says why; nothing is known to be wrong. */
  outcome: z.enum(["passed", "failed", "put-off"]),
  reason: z.optional(text(500)),
  /** The backup that it was about; absent for `daily`, and where there was none. */
  backup: z.optional(backupRef),
  /** When the files of that backup were read. */
  madeAt: z.optional(instant),
  startedAt: instant,
  durationMs: count,
  /** Files restored, or packs or archives read whole. */
  files: count,
  /** Bytes restored or read. */
  bytes: count,
  /** Of `daily`: how much of the store was read within 30 days, from 0 to 1. */
  share: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
  /** Of `drill`: how many files passed or failed each game check. */
  checks: z.optional(z.array(z.object({ kind: gameCheckKind, files: count })).check(z.maxLength(gameCheckKind.options.length))),
  problems: z.array(verificationProblem).check(z.maxLength(VERIFICATION_PROBLEMS_MAX)),
  problemCount: count,
  /** Whether the host makes drills by itself, and since when. Absent: it does not. */
  drillsSince: z.optional(instant),
});
export type Verification = z.infer<typeof verification>;
