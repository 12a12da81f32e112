import * as z from "zod/mini";
import { serverId } from "./ids.ts";

/**
 * Prune of a repository in R2. The guild says which snapshots go; the agent, which alone can read the repository, adds what has to be packed anew and answers
 * which files nobody needs after that. It removes none: the guild hides them, and removes them after a grace.
 */

/** Snapshots that one prune forgets, at most. */
export const PRUNE_FORGET_MAX = 500;
/** Packs that one prune names, at most: 32 GB of full ones. What is left over is named by the next. */
export const PRUNE_PACKS_MAX = 2000;
/** Index files that one prune names, at most. */
export const PRUNE_INDEXES_MAX = 1000;

const count = z.int().check(z.nonnegative());
const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));

export const prunePayload = z.object({
  server: serverId,
  forget: z.array(sha256).check(z.minLength(1), z.maxLength(PRUNE_FORGET_MAX)),
});
export type PrunePayload = z.infer<typeof prunePayload>;

/** Names of files in the repository that nobody needs any more. */
export const pruneResult = z.object({
  server: serverId,
  snapshots: z.array(sha256).check(z.maxLength(PRUNE_FORGET_MAX)),
  indexes: z.array(sha256).check(z.maxLength(PRUNE_INDEXES_MAX)),
  packs: z.array(sha256).check(z.maxLength(PRUNE_PACKS_MAX)),
  /** There was more than one prune may name. */
  more: z.boolean(),
  /** Needed bytes that were packed anew, as stored. */
  repackedBytes: count,
  durationMs: count,
});
export type PruneResult = z.infer<typeof pruneResult>;
