import * as z from "zod/mini";
import { instant, serverId } from "./ids.ts";

/** Schedules that a server may have. */
export const SCHEDULES_PER_SERVER_MAX = 10;

const text = (max: number) => z.string().check(z.maxLength(max));

/** Name of a schedule, unique within its server. */
export const scheduleName = z
  .string()
  .check(z.regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, "use 1 to 32 of a-z, 0-9 and -, not starting or ending with -"));
export type ScheduleName = z.infer<typeof scheduleName>;

/** A schedule as its host tells the guild of it. Nominal times follow from `cron` and `zone` by `nominal-times.ts`, on both sides alike. */
export const announcedSchedule = z.object({
  name: scheduleName,
  /** Five fields: minute, hour, day of month, month, day of week. */
  cron: text(100),
  /** IANA time zone. */
  zone: text(64),
  /** A run begins at most so much later than its nominal time, jitter included, in seconds. */
  graceStartSeconds: z.int().check(z.positive()),
  /** And ends at most so much later than its nominal time, in seconds. */
  graceFinishSeconds: z.int().check(z.positive()),
  /** No run while this is true. */
  paused: z.boolean(),
  /** When a pause ends by itself. */
  pausedUntil: z.optional(instant),
  /** Nominal times before this one do not count: the schedule was written, changed or resumed then. */
  since: instant,
});
export type AnnouncedSchedule = z.infer<typeof announcedSchedule>;

/** A run of a schedule: which one, and which of its nominal times. */
export const scheduledRun = z.object({
  server: serverId,
  schedule: scheduleName,
  nominal: instant,
  startedAt: instant,
  /** The one run after a time in which the agent was not there. */
  catchUp: z.boolean(),
});
export type ScheduledRun = z.infer<typeof scheduledRun>;
