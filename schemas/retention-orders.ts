import * as z from "zod/mini";
import { instant, serverId } from "./ids.ts";
import { backupTag, retentionPolicy, TAGS_MAX } from "./retention-policy.ts";

/**
 * What the guild has decided about backups that do not lie in R2, where the host itself removes them. It comes with the answer to a poll whenever the agent
 * has said that it knows something else, so that an agent with nothing to do asks for nothing more.
 */

/** Pinned or tagged backups of one server, at most. */
export const MARKS_MAX = 300;

/** A backup about which people have said something. */
const mark = z.object({
  /** The archive, or the id of the snapshot. */
  name: z.string().check(z.maxLength(100)),
  pinned: z.optional(z.boolean()),
  safety: z.optional(z.boolean()),
  tags: z.optional(z.array(backupTag).check(z.maxLength(TAGS_MAX))),
});

export const serverOrders = z.object({
  server: serverId,
  /** Absent: what the host's own config says. */
  policy: z.optional(retentionPolicy),
  /** The brake is on: nothing is removed. */
  frozen: z.boolean(),
  /** When somebody last let retention go on after the brake: one plan that removes much is allowed for it. */
  resumedAt: z.optional(instant),
  marks: z.array(mark).check(z.maxLength(MARKS_MAX)),
});
export type ServerOrders = z.infer<typeof serverOrders>;

/** `hash` names these orders; empty, with no servers, for none. */
export const retentionOrders = z.object({ hash: z.string().check(z.maxLength(64)), servers: z.array(serverOrders).check(z.maxLength(50)) });
export type RetentionOrders = z.infer<typeof retentionOrders>;
