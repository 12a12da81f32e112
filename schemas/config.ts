import * as z from "zod";
import { control } from "./config-control.ts";
import { schedules } from "./config-schedule.ts";
import { CONSOLE_DIALECTS, configStep, HOLD_MAX_MINUTES, STEPS_MAX } from "./hold.ts";
import { serverId } from "./ids.ts";
import { GAME_ID_PATTERN, glob, portNumber } from "./profile.ts";

/**
 * `config.yaml` as it is written. Keys are snake_case, objects are strict: a key that nobody reads is a mistake. Any text may
 * hold `${NAME}`, `${NAME:-default}` or `${secret:NAME}`. What it comes to is `HostConfig` in agent/config/host-config.ts.
 */

export const RETENTION_KEEP_LAST_DEFAULT = 10;
/** Deflate at level 6 costs 17 % more time than at level 1 and saves 1.5 % on a game world, measured; 1 spares the game's cores. */
export const COMPRESSION_DEFAULT = 1;
export const ADDRESS_DEFAULT = "127.0.0.1";
export const SERVERS_MAX = 50;
/** Assigned to nobody by IANA, above the ports that Prometheus's own list gives to exporters, below those that systems draw from. */
export const HEALTH_PORT_DEFAULT = 19_642;
export const OTLP_SERVICE_NAME_DEFAULT = "reconsync-agent";
/** OTLP headers: one or two for a credential and a tenant are usual. */
const OTLP_HEADERS_MAX = 20;
const GLOBS_MAX = 100;
const COMMAND_ARGUMENTS_MAX = 50;

const path = z
  .string()
  .min(1)
  .max(1000)
  .refine((text) => !/\p{Cc}/u.test(text), "a path cannot hold control characters");
const secretFile = path.describe(
  "Absolute path of a file that holds the password. One line break at its end is left out. Only its owner should be able to read it.",
);

/** The placeholder is what agent/config/secret-command.ts replaces. */
export const secretCommand = z
  .array(z.string().min(1).max(1000))
  .min(1)
  .max(COMMAND_ARGUMENTS_MAX)
  .refine((command) => command.slice(1).some((argument) => argument.includes("{name}")), "needs {name} in one of its arguments")
  .describe(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the config itself.
    "A program and its arguments that write a secret to stdout, for `${secret:NAME}` that is neither among systemd's credentials nor Docker's secrets. `{name}` in an argument stands for the name. No shell is involved. It gets 15 seconds. See [secrets.md](secrets.md).",
  )
  .meta({ examples: [["op", "read", "op://games/{name}"]] });

/** Names of variables that programs read, such as `AWS_ACCESS_KEY_ID`. */
const VARIABLE_NAME = /^[A-Z][A-Z0-9_]{1,60}$/;
const CREDENTIALS_MAX = 20;

const places = [
  z.strictObject({
    type: z.literal("local").describe("A folder on this host."),
    folder: path.describe("Absolute path. It cannot be the server's folder, nor hold it."),
  }),
  z.strictObject({ type: z.literal("r2").describe("The Cloudflare R2 bucket of your ReconSync.") }),
  z.strictObject({
    type: z.literal("url").describe("A place that restic knows too: S3, SFTP, Dropbox, or a REST server. For `format: repository` only."),
    url: z
      .string()
      .regex(/^(?:s3|sftp|rest|dropbox):[^\s]{1,1000}$/, "an address that begins with s3:, sftp:, rest: or dropbox:")
      .describe("Address, written as in [repositories.md](repositories.md). The repository lies in a folder of the server's id below it."),
    credentials: z
      .record(z.string().regex(VARIABLE_NAME, "the name of a variable, such as AWS_ACCESS_KEY_ID"), z.string().min(1).max(4096))
      .refine((it) => Object.keys(it).length <= CREDENTIALS_MAX, `needs at most ${CREDENTIALS_MAX} entries`)
      .optional()
      .describe(
        "What the place asks for, by the names in [repositories.md](repositories.md). Default: the agent's own environment. Values are not shown.",
      )
      .meta({ examples: [{ AWS_ACCESS_KEY_ID: `\${secret:S3_ID}`, AWS_SECRET_ACCESS_KEY: `\${secret:S3_KEY}` }] }),
  }),
] as const;

const store = z
  .discriminatedUnion("type", places)
  .describe("Where backups go.")
  .meta({ examples: [{ type: "r2" }, { type: "local", folder: "/mnt/backups" }, { type: "url", url: "sftp:me@nas:/backups" }] });

const mirror = z
  .discriminatedUnion("type", places)
  .describe(
    "A second place that gets the same repository. A backup succeeds when the first place has it; a second one that is away is told of, and gets what it misses later.",
  )
  .meta({ examples: [{ type: "local", folder: "/mnt/usb" }] });

const kibPerSecond = z.int().min(16).max(10_000_000);
const bandwidth = z
  .strictObject({
    upload: kibPerSecond.optional().describe("What backups send, in KiB per second."),
    download: kibPerSecond.optional().describe("What they fetch, in KiB per second."),
  })
  .describe("What backups to a repository use of the line at most, so that the players do not feel it. Default: no limit.")
  .meta({ examples: [{ upload: 2048 }] });

const retention = z
  .strictObject({
    keep_last: z.int().min(1).max(10_000).default(RETENTION_KEEP_LAST_DEFAULT).describe("How many of the newest backups stay."),
    keep_days: z
      .number()
      .positive()
      .max(36_500)
      .optional()
      .describe("Backups younger than this many days stay too, counted from the newest."),
  })
  .describe(
    "Which backups stay, until members of the Discord server decide otherwise with `/backup retention set`: see [retention.md](retention.md). Older ones go after a new backup has succeeded. The last good one always stays.",
  )
  .meta({ examples: [{ keep_last: 10, keep_days: 7 }] });

const holdSteps = z.array(configStep).max(STEPS_MAX);
const hold = z
  .union([
    z.literal(false),
    z.strictObject({
      profile_steps: z
        .boolean()
        .default(true)
        .describe("Start from the steps of the game's profile. With `false`, only the steps written here count."),
      before: holdSteps
        .optional()
        .describe("Steps before the copy, after those of the profile: console commands, log lines to wait for, programs.")
        .meta({ examples: [[{ program: ["/usr/local/bin/hold-saves", "island"], timeout_seconds: 60 }]] }),
      after: holdSteps
        .optional()
        .describe("Steps after the copy, before those of the profile. They also run when the backup fails, and after a crash of the agent.")
        .meta({ examples: [[{ command: "save-on", expect: "Automatic saving is now enabled" }]] }),
      required: z
        .boolean()
        .default(false)
        .describe("A backup whose saves cannot be held fails. Default: it is made all the same, and says so."),
      max_minutes: z
        .int()
        .min(1)
        .max(HOLD_MAX_MINUTES)
        .default(HOLD_MAX_MINUTES)
        .describe("Saves are held no longer than this. A copy that takes longer goes on without."),
    }),
  ])
  .describe(
    "How saves are held while files are copied. `false`: never. Default: as the profile says, when the server has a `console`. See [consoles.md](consoles.md).",
  )
  .meta({ examples: [false, { required: true }] });

const backup = z
  .strictObject({
    format: z
      .enum(["repository", "zip"])
      .default("repository")
      .describe(
        "`repository`: encrypted snapshots in restic's format; each stores only what has changed. `zip`: one plain archive a backup, which any program can open. See [repositories.md](repositories.md).",
      ),
    profile_globs: z
      .boolean()
      .default(true)
      .describe(
        "Start from what the game's profile includes and excludes. With `false`, only the globs written here count, and `include` is needed.",
      ),
    include: z
      .array(glob)
      .max(GLOBS_MAX)
      .optional()
      .describe("Globs of what else to back up, relative to `folder`, with `/`. They are added to those of the profile.")
      .meta({ examples: [["mods/**", "*.cfg"]] }),
    exclude: z
      .array(glob)
      .max(GLOBS_MAX)
      .optional()
      .describe("Globs of what to leave out. They are added to those of the profile. Exclude wins over include, whoever wrote it.")
      .meta({ examples: [["**/*.bak"]] }),
    store,
    mirror: mirror.optional(),
    bandwidth: bandwidth.optional(),
    low_priority: z
      .boolean()
      .default(true)
      .describe(
        "Backups to a repository run in one thread of the lowest priority and rest in between, so that the game goes first. `false`: as fast as they can.",
      ),
    retention: retention.optional(),
    schedule: schedules.optional(),
    hold: hold.optional(),
    compression: z
      .int()
      .min(0)
      .max(9)
      .default(COMPRESSION_DEFAULT)
      .describe(
        "How hard to compress. `zip`: deflate's levels, 0 stores, 1 is fastest, 9 is smallest. `repository`: zstd's levels 1 and 3.",
      ),
  })
  .describe("What is backed up, and where to.");

const verify = z
  .strictObject({
    daily: z
      .boolean()
      .default(true)
      .describe(
        "Each day the structure of the whole store is checked and a share of its data is read, so that all of it is read in 30 days.",
      ),
    drill: z
      .enum(["weekly", "daily", "off"])
      .default("weekly")
      .describe("How often the newest backup is restored into a scratch folder, looked at, and removed again."),
    scratch: path
      .optional()
      .describe(
        "Absolute path of the folder in which drills restore. It needs room for the whole world and 1 GiB beyond. Default: `drills` beside the agent's database.",
      )
      .meta({ examples: ["/mnt/scratch"] }),
  })
  .describe("How backups are proven restorable. See [verification.md](verification.md).")
  .meta({ examples: [{ drill: "daily" }] });

const ports = z
  .strictObject({
    game: portNumber.optional().describe("The port that players connect to. Default: the profile's."),
    query: portNumber.optional().describe("The port that answers queries. Default: the profile's, which may follow `game`."),
  })
  .describe("Ports that differ from the game's defaults.")
  .meta({ examples: [{ game: 25566 }] });

const process = z
  .strictObject({
    pid_file: path
      .optional()
      .describe("Absolute path of a file in which the server, or what starts it, writes its process id. The surest way."),
    name: z
      .string()
      .regex(/^[^/\\]{1,100}$/, "a file name, without folders")
      .optional()
      .describe("Exact name of the server's program, without its folder. Default: the profile's."),
  })
  .refine((it) => it.pid_file !== undefined || it.name !== undefined, "give pid_file, or name, or both")
  .describe("How to find the server's process. With both, the process in `pid_file` must have this name.")
  .meta({ examples: [{ pid_file: "/run/valheim.pid" }] });

const query = z
  .union([
    z.literal(false),
    z
      .strictObject({
        type: z
          .string()
          .regex(/^[a-z0-9-]{2,60}$/, "the name of a gamedig type, such as valheim, or protocol-valve")
          .optional()
          .describe("gamedig's type of the game, or `protocol-NAME`. Default: the profile's."),
        password: z.string().min(1).max(500).optional().describe(
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the config itself.
          "Password of the query, for the few games that want one. Better `${secret:NAME}`, a variable of the environment, or `password_file`.",
        ),
        password_file: secretFile.optional(),
      })
      .refine((it) => it.password === undefined || it.password_file === undefined, "give password or password_file, not both"),
  ])
  .describe("How to ask the server for its players. `false`: do not ask. Default: as the profile says.")
  .meta({ examples: [false, { type: "protocol-valve" }] });

const restore = z
  .strictObject({
    in_place: z
      .boolean()
      .default(true)
      .describe(
        "Discord may restore backups of this server in place of what is there. What was there is backed up first. `false`: only the command line on this host may.",
      ),
    folder: path
      .optional()
      .describe(
        "Absolute path of a folder below which Discord may restore backups to new folders, to look at them or to take files from them. Default: nowhere.",
      )
      .meta({ examples: ["/srv/restored"] }),
  })
  .describe("What Discord may restore, and where to. See [restore.md](restore.md).")
  .meta({ examples: [{ folder: "/srv/restored" }] });
const address = z
  .string()
  .regex(
    /^(?!0\.0\.0\.0$)(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45})$/,
    "an IP address or a host name that can be connected to",
  );

const console = z
  .strictObject({
    dialect: z.enum(CONSOLE_DIALECTS).optional().describe("How the console is spoken to. Default: the profile's."),
    address: address.optional().describe("Where the console listens. Default: the server's `address`."),
    port: portNumber.optional().describe("Its TCP port. Default: the profile's."),
    password: z.string().min(1).max(500).optional().describe(
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of the config itself.
      "Its password. Better `${secret:NAME}`, a variable of the environment, or `password_file`.",
    ),
    password_file: secretFile.optional(),
  })
  .refine((it) => it.password === undefined || it.password_file === undefined, "give password or password_file, not both")
  .describe("The console that the server opens on the network, for commands of the agent. See [consoles.md](consoles.md).")
  .meta({ examples: [{ password: `\${secret:RCON}` }] });

const server = z
  .strictObject({
    id: z
      .string()
      .check(...(serverId.def.checks ?? []))
      .describe("Name of the server in commands and archive names: 1 to 32 of a-z, 0-9 and -. Unique within a Discord server.")
      .meta({ examples: ["island"] }),
    name: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe("Name for people. Default: the id.")
      .meta({ examples: ["The Island"] }),
    game: z
      .string()
      .regex(GAME_ID_PATTERN, "the id of a profile, such as valheim")
      .describe("Id of the game's profile.")
      .meta({ examples: ["ark"] }),
    folder: path
      .describe("Absolute path of the server's folder; the profile of the game says which one that is. Nothing outside of it is read.")
      .meta({ examples: ["/srv/ark"] }),
    address: address.default(ADDRESS_DEFAULT).describe("Where the game listens, for looking at its ports and for queries."),
    ports: ports.optional(),
    process: process.optional(),
    query: query.optional(),
    restore: restore.optional(),
    control: control.optional(),
    console: console.optional(),
    backup,
    verify: verify.optional(),
  })
  .describe("One game server.");

const isIp = (text: string) => z.union([z.ipv4(), z.ipv6()]).safeParse(text).success;

const health = z
  .union([
    z.literal(false),
    z.strictObject({
      address: z
        .string()
        .refine((text) => text === "localhost" || isIp(text), "use an IP address of this host, or localhost")
        .default(ADDRESS_DEFAULT)
        .describe(
          "IP address on which to answer. The default can be reached from this host only. With `0.0.0.0` or `::` anybody who can reach the port reads the names and figures of your servers.",
        ),
      port: portNumber.default(HEALTH_PORT_DEFAULT).describe("TCP port."),
    }),
  ])
  .describe(
    "Where the agent answers `/healthz`, `/readyz` and `/metrics` by HTTP. `false`: nowhere. Default: on loopback. See [monitoring.md](monitoring.md).",
  )
  .meta({ examples: [false, { port: 9000 }] });

const otlp = z
  .union([
    z.literal(false),
    z.strictObject({
      endpoint: z
        .string()
        .regex(/^https?:\/\/[^\s@?#]{1,1000}$/, "a URL with http:// or https://, without user name, query and fragment")
        .describe("Address of an OpenTelemetry collector that takes OTLP over HTTP; `/v1/traces` is added to it."),
      headers: z
        .record(z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, "the name of an HTTP header"), z.string().min(1).max(4096))
        .refine((it) => Object.keys(it).length <= OTLP_HEADERS_MAX, `needs at most ${OTLP_HEADERS_MAX} entries`)
        .optional()
        .describe(
          "HTTP headers for it, such as a credential. Their values are not shown. Better a secret or a variable of the environment than the value itself.",
        )
        .meta({ examples: [{ authorization: `Bearer \${secret:OTLP_TOKEN}` }] }),
      service_name: z.string().min(1).max(100).default(OTLP_SERVICE_NAME_DEFAULT).describe("Name of the agent there, `service.name`."),
    }),
  ])
  .describe(
    "Where to send traces. `false`: nowhere. Default: what `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_SERVICE_NAME` say, and nowhere when they say nothing.",
  )
  .meta({ examples: [{ endpoint: "http://127.0.0.1:4318" }] });

export const configFile = z
  .strictObject({
    state: path
      .optional()
      .describe(
        "Absolute path of the agent's database. Default: `/var/lib/reconsync/state.db`, `~/.local/state/reconsync/state.db` for a user, `%ProgramData%\\ReconSync\\state.db` on Windows.",
      ),
    log: z
      .strictObject({
        level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("The least important lines that are written."),
        format: z.enum(["auto", "human", "json"]).default("auto").describe("`auto`: for people on a terminal, JSON lines otherwise."),
      })
      .optional()
      .describe("What the agent writes to its log."),
    profiles: path
      .optional()
      .describe("Absolute path of a folder with own game profiles, `ID.yaml`. One with the id of a shipped profile replaces it.")
      .meta({ examples: ["/etc/reconsync/games"] }),
    secret_command: secretCommand.optional(),
    health: health.optional(),
    otlp: otlp.optional(),
    servers: z.array(server).min(1).max(SERVERS_MAX).describe("The game servers on this host."),
  })
  .describe("What the agent on a game host works on. Everything is decided here; Discord can only name a server and a kind of work.");

/** As written, before anything is defaulted. */
export type ConfigFileInput = z.input<typeof configFile>;
export type ConfigFile = z.infer<typeof configFile>;
export type ConfigFileServer = ConfigFile["servers"][number];
