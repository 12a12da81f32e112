import * as z from "zod";
import { duration } from "./config-schedule.ts";

/** `servers[].control` of `config.yaml`: how the agent may stop and start a game server. */

/** Longer than the 90 s that systemd gives a unit (DefaultTimeoutStopSec), after which it kills by itself. */
export const STOP_TIMEOUT_DEFAULT = "3m";
/** Servers with many mods load for several minutes. */
export const START_TIMEOUT_DEFAULT = "10m";
const STOP_TIMEOUT_MAX = "1h";
const START_TIMEOUT_MAX = "2h";
const SETTLE_MAX = "10m";
const ARGUMENTS_MAX = 50;
const ENV_MAX = 50;

/** Names of units that systemctl takes for one unit: no wildcard, no option, no template without its instance. */
export const UNIT_PATTERN =
  /^(?!-)(?!.*@\.service$)(?=.{1,255}$)(?:[A-Za-z0-9:_.\\-]+@[A-Za-z0-9:_.\\-]+|[A-Za-z0-9:_.\\-]+\.service|[A-Za-z0-9:_.\\-]+@[A-Za-z0-9:_.\\-]+\.service)$/;
/** Names of Windows services (not those that are displayed). Windows allows 256 characters but slashes. */
export const WINDOWS_SERVICE_PATTERN = /^[A-Za-z0-9_.][A-Za-z0-9 _.()$-]{0,255}$/;

const words = z.array(z.string().min(1).max(1000)).min(1).max(ARGUMENTS_MAX);
const path = z
  .string()
  .min(1)
  .max(1000)
  .refine((text) => !/\p{Cc}/u.test(text), "a path cannot hold control characters");
const env = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, "the name of a variable"), z.string().max(4096))
  .refine((it) => Object.keys(it).length <= ENV_MAX, `needs at most ${ENV_MAX} entries`)
  .optional()
  .describe(
    "Variables for these programs, besides a few of the agent's own (PATH, HOME and the like). Nothing else of the agent's environment reaches them. Values are not shown.",
  )
  .meta({ examples: [{ LD_LIBRARY_PATH: "/srv/valheim/linux64" }] });

const shared = {
  stop_timeout: duration("5s", STOP_TIMEOUT_MAX)
    .default(STOP_TIMEOUT_DEFAULT)
    .describe("How long the server may take to stop, saving included. Longer is a failure, and what needed it stopped does not happen."),
  start_timeout: duration("5s", START_TIMEOUT_MAX)
    .default(START_TIMEOUT_DEFAULT)
    .describe("How long it may take from the start until players could join. A slow start is no crash before this has passed."),
  settle: duration("1s", SETTLE_MAX)
    .optional()
    .describe(
      "How long it must stay up without a gap before it counts as up: a server that crashes while it loads is up for a moment too. Default: `10s`, or `60s` where only its process can be seen.",
    ),
  probe: z
    .enum(["query", "port", "process", "none"])
    .optional()
    .describe(
      "What shows that it is up after a start: it answers a query, has its port open, or has a process. `none`: no proof is asked for. Default: the strongest of these that is known to work.",
    ),
};

const ways = [
  z.strictObject({
    type: z.literal("commands").describe("Programs of yours, such as `docker stop` or LinuxGSM's script."),
    start: words.describe("Program and arguments that start the server and then end. No shell is involved."),
    stop: words.describe("Program and arguments that stop it."),
    status: words
      .optional()
      .describe(
        "Program and arguments that say by their exit code whether it runs: 0 runs, 3 is stopped, others tell nothing. Default: process and port tell.",
      ),
    env,
    ...shared,
  }),
  z.strictObject({
    type: z.literal("systemd").describe("A unit of systemd."),
    unit: z
      .string()
      .regex(UNIT_PATTERN, "use the name of one service, such as valheim.service or valheim@island.service")
      .describe("Name of the unit."),
    user: z.boolean().default(false).describe("It belongs to the systemd of the agent's own account (`systemctl --user`)."),
    ...shared,
  }),
  z.strictObject({
    type: z.literal("windows-service").describe("A service of Windows."),
    name: z
      .string()
      .regex(WINDOWS_SERVICE_PATTERN, "use the name of a service, not the one that is displayed")
      .describe("Name of the service."),
    ...shared,
  }),
  z.strictObject({
    type: z.literal("process").describe("A process that the agent itself starts. It lives on when the agent ends."),
    start: words.describe(
      "Absolute path of the server's program, or its name in PATH, and its arguments. It has to stay in the foreground. No shell is involved.",
    ),
    cwd: path.optional().describe("Absolute path of the folder to start it in. Default: the server's `folder`."),
    pid_file: path
      .optional()
      .describe(
        "Absolute path of the file for its process id, outside of the server's `folder`. Default: `control/ID.pid` beside the agent's state.",
      ),
    log: path.optional().describe("Absolute path of the file for what it prints. Default: `control/ID.log` beside the agent's state."),
    stop_signal: z
      .enum(["SIGTERM", "SIGINT"])
      .default("SIGTERM")
      .describe("How it is asked to save and end, on Linux. On Windows it is `taskkill` without `/F`."),
    kill: z
      .boolean()
      .default(false)
      .describe("Whether it may be killed when `stop_timeout` has passed. What it has not saved by then is lost."),
    env,
    ...shared,
  }),
] as const;

export const control = z
  .discriminatedUnion("type", ways)
  .describe("How the agent may stop and start this server, for restores. Default: it may not. See [control.md](control.md).")
  .meta({
    examples: [
      { type: "systemd", unit: "valheim.service" },
      { type: "commands", start: ["docker", "start", "valheim"], stop: ["docker", "stop", "-t", "120", "valheim"] },
    ],
  });

export type ControlInConfig = z.infer<typeof control>;
