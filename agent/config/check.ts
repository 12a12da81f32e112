import type { ServerStatus } from "../../schemas/index.ts";
import { facts } from "../../schemas/profile.ts";
import { type ScanResult, scan } from "../backup/walk.ts";
import type { Clock } from "../clock.ts";
import { openConsole } from "../console/client.ts";
import { controlOf } from "../control/control.ts";
import { AgentError, EXIT, type ExitCode } from "../errors.ts";
import { bounded, reason } from "../monitor/bounded.ts";
import { type DiskSpace, diskOf } from "../monitor/disk.ts";
import { observe } from "../monitor/observe.ts";
import type { ProcessTable } from "../monitor/process-table.ts";
import { asksTheInternet } from "../monitor/query-types.ts";
import type { HostConfig, ServerConfig } from "./host-config.ts";
import { formatPath } from "./issues.ts";
import { checkedSchedules, type ScheduleCheck } from "./schedules.ts";

/** What `reconsync check` found; as it is, it is the answer of `reconsync check --json`. Nothing in it is secret. */
export interface CheckReport {
  file: string;
  hash: string;
  stateFile: string;
  /** No finding of any server is an error. */
  ok: boolean;
  exitCode: ExitCode;
  notices: string[];
  servers: ServerCheck[];
}

export interface ServerCheck {
  id: string;
  name: string;
  game: string;
  gameName: string;
  folder: string;
  /** What a backup would hold now; absent when it cannot be made. */
  backup?: ScanResult;
  schedules: ScheduleCheck[];
  destination: { store: "local" | "r2" | "url"; url?: string; folder?: string; freeBytes?: number; totalBytes?: number };
  status: ServerStatus;
  /** How it may be stopped and started, and what that way says of it now. */
  control?: { way: string; state: "running" | "stopped" | "unknown" };
  findings: Finding[];
}

/** `error`: a backup would fail. `warning`: it would not do what one expects. `note`: worth knowing. */
export interface Finding {
  level: "error" | "warning" | "note";
  code: string;
  message: string;
}

export { formatCheck } from "./check-text.ts";

export interface CheckOptions {
  clock: Clock;
  processes?: ProcessTable;
  signal?: AbortSignal;
}

/** A console that does not let the agent in within this is not waited for, in milliseconds. */
const CONSOLE_TIMEOUT_MS = 5000;
/** A look at a volume that takes longer is given up. */
const DISK_TIMEOUT_MS = 5000;

/** Looks at everything that the config names, and changes nothing. */
export async function checkHost(config: HostConfig, options: CheckOptions): Promise<CheckReport> {
  const servers: ServerCheck[] = [];
  // One after the other: a disk that is read at two places at once is slower than at one.
  for (const server of config.servers) servers.push(await checkServer(server, config, options));
  const ok = servers.every(({ findings }) => findings.every(({ level }) => level !== "error"));
  const { file, hash, stateFile, notices = [] } = config;
  return { file, hash, stateFile, ok, exitCode: ok ? EXIT.ok : EXIT.failed, notices, servers };
}

async function checkServer(server: ServerConfig, config: HostConfig, options: CheckOptions): Promise<ServerCheck> {
  const findings: Finding[] = [];
  const { store } = server.backup;
  const status = observe(server, { clock: options.clock, processes: options.processes });
  const backup = await scanServer(server, findings, options.signal);
  const destination: ServerCheck["destination"] = { store: store.type, ...(store.type === "url" && { url: store.url }) };
  if (store.type === "local") {
    const disk = await checkDestination(server, store.folder, backup, findings);
    Object.assign(destination, { folder: store.folder, ...(disk && { freeBytes: disk.freeBytes, totalBytes: disk.totalBytes }) });
  }
  await checkConsole(server, options, findings);
  await checkFacts(server, config, findings);
  const control = await checkControl(server, findings, options);
  return {
    id: server.id,
    name: server.name,
    game: server.profile.id,
    gameName: server.profile.name,
    folder: server.folder,
    ...(backup && { backup }),
    schedules: checkedSchedules(server.backup.schedules, options.clock.now()),
    destination,
    status: await status,
    ...(control && { control }),
    findings,
  };
}

async function checkControl(server: ServerConfig, findings: Finding[], { clock, signal }: CheckOptions): Promise<ServerCheck["control"]> {
  const control = controlOf(server, { clock });
  if (control === undefined) return undefined;
  const state = await control.state(signal ?? new AbortController().signal);
  if (state === "unknown") {
    const message = `Whether the server runs cannot be told by its control (${control.way}), so a restore would not stop it and would not begin. Is the name right, and may this account ask? See control.md.`;
    findings.push({ level: "warning", code: "control-unknown", message });
  }
  return { way: control.way, state };
}

async function scanServer(server: ServerConfig, findings: Finding[], signal: AbortSignal | undefined): Promise<ScanResult | undefined> {
  const { store } = server.backup;
  try {
    const result = await scan(server, store.type === "local" ? store : undefined, signal);
    if (result.missing > 0) {
      const message = `${result.missing} entries would be missing from a backup: they cannot be read, or are pipes, sockets or devices. Give the account that runs ReconSync the right to read them, or exclude them.`;
      findings.push({ level: "warning", code: "entries-unreadable", message });
    }
    return result;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const hint =
      error.code === "folder-missing" || error.code === "nothing-to-back-up"
        ? ` For ${server.profile.name}: ${server.profile.folder.hint}`
        : "";
    findings.push({ level: "error", code: error.code, message: `${error.message}${hint}` });
    return undefined;
  }
}

async function checkDestination(
  server: ServerConfig,
  folder: string,
  backup: ScanResult | undefined,
  findings: Finding[],
): Promise<DiskSpace | undefined> {
  let disk: DiskSpace;
  try {
    disk = await bounded(diskOf(folder), DISK_TIMEOUT_MS, "Looking at the backup folder");
  } catch (error) {
    findings.push({
      level: "warning",
      code: "destination-unknown",
      message: `The backup folder ${folder} cannot be looked at: ${reason(error)}`,
    });
    return undefined;
  }
  if (backup && backup.bytes > disk.freeBytes) {
    const message = `The world is larger than the free space of ${folder}. A backup may not fit: free some, or choose another folder.`;
    findings.push({ level: "warning", code: "destination-too-small", message });
  }
  const world = backup && (await bounded(diskOf(server.folder), DISK_TIMEOUT_MS, "Looking at the server's folder").catch(() => undefined));
  if (world?.device === disk.device) {
    const message = "The backups are on the same volume as the world: when that disk dies, both are gone. Use another disk, or R2.";
    findings.push({ level: "warning", code: "destination-same-volume", message });
  }
  return disk;
}

/** Logs in, and sends nothing. A server that is stopped is no mistake of the config. */
async function checkConsole(server: ServerConfig, { clock, signal }: CheckOptions, findings: Finding[]): Promise<void> {
  if (server.console === undefined) {
    if (server.profile.hold === undefined || server.backup.hold !== undefined) return;
    const message = `Saves of ${server.profile.name} are not held while files are copied: that needs a console. See consoles.md.`;
    findings.push({ level: "note", code: "no-console", message });
    return;
  }
  const console = openConsole(server.console, clock);
  try {
    await console.connect({ timeoutMs: CONSOLE_TIMEOUT_MS, ...(signal && { signal }) });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    findings.push({ level: "warning", code: error.code, message: `Saves cannot be held now: ${error.message}.` });
  } finally {
    await console.close();
  }
}

async function checkFacts(server: ServerConfig, config: HostConfig, findings: Finding[]): Promise<void> {
  const { profile, query, process } = server;
  const twins = config.servers.filter((it) => it !== server && it.process?.name === process?.name && !it.process?.pidFile);
  if (process?.name !== undefined && !process.pidFile && twins.length > 0) {
    const message = `${twins.map((it) => it.id).join(", ")} has the same process name, ${process.name}. They may be mistaken for one another: set process.pid_file for each.`;
    findings.push({ level: "warning", code: "process-name-shared", message });
  }
  if (!query) {
    const message = `${profile.name} is not asked for its players: ${profile.query ? "query is false" : "its profile has no way to ask on this host"}.`;
    findings.push({ level: "note", code: "no-query", message });
  } else if (await asksTheInternet(query.type)) {
    const message = `A query of type ${query.type} asks a service on the Internet, not the server. It gets to know this host's address.`;
    findings.push({ level: "warning", code: "query-asks-internet", message });
  }
  const unverified = facts(profile).filter(([, fact]) => fact.unverified);
  if (unverified.length > 0) {
    const message = `The profile ${profile.id} holds facts that nobody has verified: ${unverified.map(([path]) => formatPath(path)).join(", ")}.`;
    findings.push({ level: "note", code: "facts-unverified", message });
  }
}
