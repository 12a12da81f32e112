import * as z from "zod";
import { SCHEDULES_PER_SERVER_MAX, scheduleName } from "./schedules.ts";

/** `backup.schedule` of `config.yaml`. What a cron expression and a zone may be is in nominal-times.ts. */

/** The name of a schedule that stands alone. */
export const SCHEDULE_NAME_DEFAULT = "main";
export const JITTER_DEFAULT = "0s";
/** Some minutes of another server's backup, and a restart of the host, are no reason for an alarm. */
export const GRACE_START_DEFAULT = "15m";
/** Long enough for a world of some 100 GB over a home uplink of 40 Mbit/s. */
export const GRACE_FINISH_DEFAULT = "6h";

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const DURATION = /^(0|[1-9][0-9]{0,5})([smhd])$/;
const isUnit = (text: string | undefined): text is keyof typeof UNIT_SECONDS => text !== undefined && text in UNIT_SECONDS;

/** Seconds of `90s`, `15m`, `6h` or `2d`; undefined for any other text. */
export function durationSeconds(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? [];
  return isUnit(unit) ? Number(count) * UNIT_SECONDS[unit] : undefined;
}

/** A length of time as `90s`, `15m`, `6h` or `2d`, within bounds written the same way. */
export const duration = (least: string, most: string) =>
  z
    .string()
    .regex(DURATION, "use a whole number and a unit, such as 90s, 15m, 6h or 2d")
    .refine((text) => {
      const seconds = durationSeconds(text) ?? 0;
      return seconds >= (durationSeconds(least) ?? 0) && seconds <= (durationSeconds(most) ?? 0);
    }, `must be from ${least} to ${most}`);

const grace = z
  .strictObject({
    start: duration("1m", "2d").default(GRACE_START_DEFAULT).describe("A run begins at most so much later than its time, jitter included."),
    finish: duration("1m", "7d").default(GRACE_FINISH_DEFAULT).describe("And ends at most so much later than its time."),
  })
  .describe("How late a run may be. What is later counts as missed, and Discord is told.")
  .meta({ examples: [{ start: "30m", finish: "12h" }] });

const schedule = z
  .strictObject({
    name: z
      .string()
      .check(...(scheduleName.def.checks ?? []))
      .optional()
      .describe("Name in commands and messages, unique within the server. Needed in a list. Default: `main`."),
    cron: z
      .string()
      .min(1)
      .describe("When: minute, hour, day of month, month, day of week; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.")
      .meta({ examples: ["0 4 * * *", "*/30 18-23 * * FRI-SUN"] }),
    timezone: z
      .string()
      .min(1)
      .describe("Whose clock is meant, by its name in the IANA list. It has no default: in a container the host's own zone is mostly UTC.")
      .meta({ examples: ["Europe/Berlin"] }),
    jitter: duration("0s", "12h")
      .default(JITTER_DEFAULT)
      .describe("Runs begin up to so much later, so that many servers do not begin at once. The same time always gets the same delay.")
      .meta({ examples: ["2m"] }),
    skip_unchanged: z.boolean().default(true).describe("Leave a run out when no file differs in content from the last backup."),
    catch_up: z.boolean().default(true).describe("After a time in which the agent was not there, make up for the newest missed run."),
    grace: grace.optional(),
  })
  .describe("A time at which backups are made without anybody asking.");

export const schedules = z
  // That there are not more is checked in agent/config/schedules.ts: a union would not say what is wrong.
  .union([schedule, z.array(schedule).meta({ maxItems: SCHEDULES_PER_SERVER_MAX })])
  .describe(
    "When the agent makes backups by itself: one schedule, or a list of up to 10. Default: never. See [schedules.md](schedules.md).",
  )
  .meta({ examples: [{ cron: "0 4 * * *", timezone: "Europe/Berlin" }] });

export type ScheduleInConfig = z.infer<typeof schedule>;
