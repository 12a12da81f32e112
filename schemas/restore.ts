import * as z from "zod/mini";
import { archiveName } from "./archives.ts";
import { GLOB_LENGTH_MAX, GLOB_RULES } from "./globs.ts";
import { instant, serverId, uploadId } from "./ids.ts";
import { problem } from "./problem.ts";

/**
 * Restores: what the guild asks of a host, and what the host answers. First a plan, which changes nothing and says what a restore would do; then the
 * restore itself. An Undo is a restore of the safety backup that the restore before it made.
 */

const count = z.int().check(z.nonnegative());
const text = (max: number) => z.string().check(z.maxLength(max));
const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** One backup, as a host finds it again. */
export const backupRef = z.discriminatedUnion("format", [
  z.object({
    format: z.literal("zip"),
    archive: archiveName,
    store: z.enum(["local", "r2"]),
    /** The finished upload, when it lies in R2. */
    upload: z.optional(uploadId),
  }),
  z.object({ format: z.literal("repository"), snapshot: sha256 }),
]);
export type BackupRef = z.infer<typeof backupRef>;

/** At most so many globs choose what is restored. */
export const RESTORE_PATHS_MAX = 20;
/** Paths that a plan names one by one, at most. */
export const PLAN_SAMPLE_MAX = 30;

const glob = z
  .string()
  .check(z.minLength(1), z.maxLength(GLOB_LENGTH_MAX), ...GLOB_RULES.map(([pattern, words]) => z.regex(pattern, words)));

/** How a player is known to the game's files: a Steam id, a UUID, a name. It stands in file names. */
export const playerKey = z.string().check(z.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/));

/** A folder's name below the folder for restores that the host's config names. */
export const restoreFolderName = z.string().check(z.regex(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/, "use 1 to 64 of A-Z, a-z, 0-9, _ and -"));

const asked = {
  server: serverId,
  backup: backupRef,
  /** Only these, as globs relative to the server's folder; a folder brings all that is in it. Absent: everything. */
  paths: z.optional(z.array(glob).check(z.minLength(1), z.maxLength(RESTORE_PATHS_MAX))),
  /** Only the files of this player, as the game's profile tells which they are. Not together with `paths`. */
  player: z.optional(playerKey),
  /** Into a new folder of this name below the host's folder for restores; the server is left alone. Absent: in place. */
  to: z.optional(restoreFolderName),
};

export const restorePlanPayload = z.object(asked);
export type RestorePlanPayload = z.infer<typeof restorePlanPayload>;

/** Files that a restore does the same thing to. `bytes` is their size: of the new content, or of what goes. */
const change = z.object({ files: count, bytes: count });
export type RestoreChange = z.infer<typeof change>;

export const restorePlan = z.object({
  server: serverId,
  backup: backupRef,
  /** When the files were read that the backup holds. */
  madeAt: instant,
  /** In the backup, and not there now. */
  added: change,
  /** In both, with other content or size, as far as sizes and times tell. */
  changed: change,
  /** There now, and not in the backup: a restore in place removes them. Always 0 when it goes to a folder of its own. */
  removed: change,
  same: change,
  /** The first of them by path, of each kind some. */
  sample: z
    .array(z.object({ path: text(500), change: z.enum(["added", "changed", "removed"]), bytes: count }))
    .check(z.maxLength(PLAN_SAMPLE_MAX)),
  /** What it takes on the disk while it is made, and what is free there. */
  needBytes: count,
  freeBytes: count,
  /** Whether the server runs, as far as can be told. */
  running: z.enum(["running", "stopped", "unknown"]),
  /** How the host stops and starts the server, in words; absent when its config lets nobody do it. */
  control: z.optional(text(200)),
  /** Why it cannot be restored as things stand. */
  refused: z.optional(problem),
  warnings: z.array(text(300)).check(z.maxLength(10)),
});
export type RestorePlan = z.infer<typeof restorePlan>;

export const restorePayload = z.object({
  ...asked,
  /** Shown with the safety backup. */
  note: z.optional(text(200)),
});
export type RestorePayload = z.infer<typeof restorePayload>;

/**
 * A restore that succeeded. One that failed and left or put back what was there before is a failed job: `restore-rolled-back` when the server had been
 * stopped or the folders had been swapped already.
 */
export const restoreResult = z.object({
  server: serverId,
  backup: backupRef,
  /** Where it went: the server's folder, or the new folder, as a path on the host. */
  place: text(500),
  inPlace: z.boolean(),
  files: count,
  bytes: count,
  added: change,
  changed: change,
  removed: change,
  /** What was there before, as a backup of its own; an Undo restores it. Absent when nothing of the server was touched. */
  safety: z.optional(backupRef),
  /** Whether the server was stopped for it, and whether it was started again. */
  stopped: z.boolean(),
  started: z.boolean(),
  /** What showed that the server is up again, in words. Absent when it was not started. */
  proof: z.optional(text(300)),
  /** From the stop of the server until it was up again, in milliseconds. 0 when it was not stopped. */
  downMs: count,
  startedAt: instant,
  durationMs: count,
  warnings: z.array(text(300)).check(z.maxLength(10)),
});
export type RestoreResult = z.infer<typeof restoreResult>;
