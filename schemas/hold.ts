import * as z from "zod";

/**
 * How saves are held around a backup, as steps. A profile and `config.yaml` write them alike; programs stand in `config.yaml` only, since what
 * runs on a host is decided there.
 */

/** Console dialects that an agent speaks: agent/console/dialects.ts has one entry for each. */
export const CONSOLE_DIALECTS = ["source-rcon", "source-rcon-minecraft", "source-rcon-idle", "openttd-admin"] as const;
export type ConsoleDialect = (typeof CONSOLE_DIALECTS)[number];

/** A step that says nothing else may take so long, in seconds. */
export const STEP_TIMEOUT_DEFAULT_S = 30;
/** No step may ask for more, in seconds: saving a large world takes minutes, and players wait meanwhile. */
export const STEP_TIMEOUT_MAX_S = 600;
/** Steps of one list at most. */
export const STEPS_MAX = 8;
/** A server is asked again after so long, in seconds, when a step polls. */
export const POLL_EVERY_DEFAULT_S = 1;
/** Saves are held no longer than this, in minutes: what players do meanwhile is lost when the server crashes. A config may say less. */
export const HOLD_MAX_MINUTES = 30;
/** Characters of a command, well below what any dialect takes. */
const COMMAND_MAX = 400;
const PATTERN_MAX = 200;
const PATTERNS_MAX = 5;
const PROGRAM_ARGUMENTS_MAX = 50;

/** Whoever could put a line break into a command could send a second one. */
const LINE_BREAKS = /[\0\r\n\u0085\u2028\u2029]/;

const oneLine = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((text) => !LINE_BREAKS.test(text), "cannot hold a line break or a NUL");

const pattern = oneLine(PATTERN_MAX).refine((text) => text.replaceAll("*", "") !== "", "needs more than *");

const patterns = z
  .union([pattern, z.array(pattern).min(1).max(PATTERNS_MAX)])
  .describe("Text that must stand in it; `*` stands for anything. With a list, one of them is enough. Letter case counts.");

/** A file inside the server's folder, without any way out of it. */
const insidePath = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[^\\]+$/, "use / between folders, also on Windows")
  .regex(/^(?!\/)(?![A-Za-z]:)/, "is relative to the server's folder")
  .regex(/^(?!(?:.*\/)?\.\.(?:\/|$))/, "cannot leave the server's folder");

const timeout = z
  .int()
  .min(1)
  .max(STEP_TIMEOUT_MAX_S)
  .optional()
  .describe(`How long the step may take, in seconds. Default: ${STEP_TIMEOUT_DEFAULT_S}, at most ${STEP_TIMEOUT_MAX_S}.`);

const poll = z
  .strictObject({
    command: oneLine(COMMAND_MAX).describe("Console command that is sent again and again."),
    until: patterns.describe("Its reply when the server is ready."),
    every_seconds: z.int().min(1).max(60).default(POLL_EVERY_DEFAULT_S).describe("Pause between two of them."),
    files: z
      .strictObject({
        root: insidePath.optional().describe("Folder that the paths of the reply are relative to. Default: the server's folder."),
        only: z
          .array(insidePath)
          .max(10)
          .default([])
          .describe("Globs, relative to the server's folder: of what they match, only files that the reply lists are copied."),
      })
      .optional()
      .describe("The reply lists files as `path:bytes, path:bytes`. Of each of them, so many bytes are copied."),
  })
  .describe("What to ask after the command until the server is ready.");

/** The keys of each kind of step, for a profile to add where its facts come from. */
export const commandStep = {
  command: oneLine(COMMAND_MAX).describe("Console command."),
  expect: patterns.optional().describe("What its reply must hold. Without it, and without `poll`, the command confirms nothing."),
  poll: poll.optional(),
  timeout_seconds: timeout,
};
export const logStep = {
  log: insidePath.describe("Log file of the server, relative to `folder`. What it writes after the first step began is looked at."),
  line: patterns.describe(
    "Text of the line that says that the save is complete; `*` stands for anything. With a list, one of them is enough.",
  ),
  timeout_seconds: timeout,
};
export const programStep = {
  program: z
    .array(oneLine(1000))
    .min(1)
    .max(PROGRAM_ARGUMENTS_MAX)
    .describe("A program and its arguments. No shell is involved. It has to end with exit code 0.")
    .meta({ examples: [["/usr/local/bin/hold-saves", "island"]] }),
  timeout_seconds: timeout,
};

const commandOrLog = z.union([z.strictObject(commandStep), z.strictObject(logStep)]);
/** A step as `config.yaml` may have it. */
export const configStep = z.union([z.strictObject(commandStep), z.strictObject(logStep), z.strictObject(programStep)]);
/** A step as it is carried out: what a profile says, without where it is from. Also how steps are kept in the agent's state. */
export const holdStep = configStep;
export type HoldStep = z.infer<typeof holdStep>;
export type CommandStep = Extract<HoldStep, { command: string }>;
export type LogStep = Extract<HoldStep, { log: string }>;
export type ProgramStep = Extract<HoldStep, { program: string[] }>;
/** A step as a profile may have it, but for its sources. */
export type ProfileStep = z.infer<typeof commandOrLog>;
