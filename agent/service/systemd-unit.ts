import { CLEAN_UP_MS, FLUSH_MS, GRACE_MS } from "../daemon.ts";
import { VERSION } from "../version.ts";
import { NEEDS_A_PERSON, RESTART_S } from "./exit-codes.ts";

/** How every unit begins that is ours. */
export const UNIT_MARK = "# Made by `reconsync service install`";
/** Some air beyond what stopping takes, in seconds. */
const STOP_AIR_S = 20;
/** Grace, cleaning up, delivering the last results; in seconds. */
const STOP_S = (GRACE_MS + CLEAN_UP_MS + FLUSH_MS) / 1000 + STOP_AIR_S;
/** A backup reads few files at a time, yet holds sockets, watchers and SQLite besides; systemd's own default is 1024. */
const OPEN_FILES = 65_536;

/** What the agent of root may do: read and write what others own, keep owners and modes, and see the folders of others' processes. */
const ROOT_CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_SYS_PTRACE"];

export interface UnitPlan {
  scope: "system" | "user";
  /** Absolute paths. */
  node: string;
  script: string;
  configFile: string;
  stateFile: string;
  /** Of the system's service; undefined is root. */
  account?: string;
  /** Holds `NAME=value` lines for the config's `${NAME}`; need not exist. */
  environmentFile: string;
  /** Files whose name is the name of a secret. */
  credentials: readonly { name: string; file: string }[];
  /** Every folder that the agent writes, but for the state's when systemd makes that. */
  writable: readonly string[];
  /** Every path of the host that it needs to see. */
  needed: readonly string[];
  /** The agent may start game servers, which are not to end with it. */
  startsGames?: boolean;
}

/** The text of `reconsync.service`. */
export function systemdUnit(plan: UnitPlan): string {
  const { scope, node, script, configFile, stateFile } = plan;
  const start = [node, script, "run", "--config", configFile, "--state", stateFile].map(execWord).join(" ");
  const lines = [
    // An update changes the unit, so that installing again restarts the agent.
    `${UNIT_MARK} of version ${VERSION}.`,
    scope === "system"
      ? "# Own settings belong into a drop-in, which stays: systemctl edit reconsync"
      : "# Own settings belong into a drop-in, which stays: systemctl --user edit reconsync",
    "[Unit]",
    "Description=ReconSync agent",
    ...(scope === "system" ? ["Wants=network-online.target", "After=network-online.target remote-fs.target"] : []),
    "",
    "[Service]",
    "Type=exec",
    ...(plan.account === undefined ? [] : [`User=${plan.account}`]),
    `ExecStart=${start}`,
    "# Reads the config again.",
    "ExecReload=/bin/kill -HUP $MAINPID",
    `EnvironmentFile=${word(`-${plan.environmentFile}`)}`,
    ...credentialLines(plan),
    "Restart=on-failure",
    `RestartSec=${RESTART_S}`,
    "# A restart does not help: wrong usage, bad data, refused by the control plane, bad config.",
    `RestartPreventExitStatus=${NEEDS_A_PERSON.join(" ")}`,
    `TimeoutStopSec=${STOP_S}`,
    ...(plan.startsGames === true
      ? ["# Only the agent: the game servers that it has started go on.", "KillMode=process"]
      : ["KillMode=mixed"]),
    `LimitNOFILE=${OPEN_FILES}`,
    "UMask=0077",
    ...(scope === "system" ? systemLines(plan) : []),
    ...SANDBOX,
    "",
    "[Install]",
    `WantedBy=${scope === "system" ? "multi-user.target" : "default.target"}`,
    "",
  ];
  return lines.join("\n");
}

/** Whether systemd makes the state's folder, and gives it to the account. */
export function stateIsSystemds({ scope, stateFile }: Pick<UnitPlan, "scope" | "stateFile">): boolean {
  return scope === "system" && /^\/var\/lib\/reconsync\/[^/]+$/.test(stateFile);
}

/** What a user's systemd can do as well: it needs no namespaces, which many systems keep from users. */
const SANDBOX = [
  "NoNewPrivileges=yes",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
  "LockPersonality=yes",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "SystemCallErrorNumber=EPERM",
  "# Not set: MemoryDenyWriteExecute (V8 compiles while it runs), ProtectProc and ProcSubset (the agent looks for game servers in /proc).",
];

function systemLines(plan: UnitPlan): string[] {
  const { account, writable, needed } = plan;
  const homes = needed.some((path) => under(path, ["/home", "/root", "/run/user"]));
  const temporary = needed.some((path) => under(path, ["/tmp", "/var/tmp"]));
  return [
    ...(stateIsSystemds(plan) ? ["StateDirectory=reconsync", "StateDirectoryMode=0700"] : []),
    "ProtectSystem=strict",
    "# The servers' own folders, for restores, and where backups, drills and the state go. One that is not there at the start is left out.",
    ...writable.map((path) => `ReadWritePaths=${word(`-${path}`)}`),
    homes ? "# Read-only, not hidden: something that the agent needs lies there.\nProtectHome=read-only" : "ProtectHome=yes",
    temporary || plan.startsGames === true
      ? "# Shared: something that the agent or a game server needs lies in /tmp or /var/tmp, such as the sockets of tmux.\nPrivateTmp=no"
      : "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictNamespaces=yes",
    `CapabilityBoundingSet=${account === undefined ? ROOT_CAPABILITIES.join(" ") : ""}`,
    ...(account === undefined ? [] : ["RemoveIPC=yes"]),
  ];
}

function credentialLines({ scope, credentials, configFile }: UnitPlan): string[] {
  if (scope === "user") return [];
  const folder = credentialsFolder(configFile);
  const hint = `# A file in ${folder} is the secret of its name, in the config: \${secret:NAME}. Run the install again after a change there.`;
  return [hint, ...credentials.map(({ name, file }) => `LoadCredential=${word(`${name}:${file}`)}`)];
}

/** Where files with secrets lie that systemd hands to the service. Only root needs to be able to read them. */
export function credentialsFolder(configFile: string): string {
  return `${configFile.replace(/\/[^/]*$/, "")}/secrets`;
}

function under(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** One word as systemd.syntax(7) reads it: quotes and C escapes, `%%` for a percent sign. */
export function word(text: string): string {
  const escaped = text.replace(/["\\]/g, "\\$&").replaceAll("%", "%%");
  return /^[A-Za-z0-9_@.:/=+,%-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** One word of a command line, where `$` begins a variable (systemd.service(5), "Command lines"). */
function execWord(text: string): string {
  return word(text).replaceAll("$", "$$$$");
}
