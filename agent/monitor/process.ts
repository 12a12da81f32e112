import { readFile, readlink, stat } from "node:fs/promises";
import path from "node:path";
import type { ServerStatus } from "../../schemas/status.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { relation } from "../config/paths.ts";
import { reason } from "./bounded.ts";
import type { ProcessInfo, ProcessTable } from "./process-table.ts";

export interface ProcessReport {
  process: ServerStatus["process"];
  problems: string[];
}

/** A pid file holds one number. */
const PID_FILE_BYTES_MAX = 64;
/** A process that started so much later than its pid file was written is another one that got the number. In seconds: clocks are set now and then. */
const PID_FILE_TOLERANCE_S = 60;
/** Linux cuts the name of a process at so many characters (TASK_COMM_LEN less one). */
const LINUX_NAME_CHARS_MAX = 15;

type Observed = Pick<ServerConfig, "process" | "folder" | "profile">;

/** Whether the server's process runs, by its pid file when there is one, by the exact name of its program otherwise. */
export async function observeProcess(
  server: Observed,
  table: ProcessTable,
  platform: NodeJS.Platform = process.platform,
): Promise<ProcessReport> {
  const { pidFile, name } = server.process ?? {};
  if (pidFile !== undefined) return byPidFile(pidFile, name, table, platform);
  if (name !== undefined) return byName(name, server, table, platform);
  return unknown("The profile names no process for this platform. Set process in config.yaml.");
}

async function byPidFile(file: string, name: string | undefined, table: ProcessTable, platform: NodeJS.Platform): Promise<ProcessReport> {
  let text: string;
  let writtenAt: number;
  try {
    const { mtimeMs, size } = await stat(file);
    if (size > PID_FILE_BYTES_MAX) return unknown(`${file} is no pid file: it is too large.`);
    writtenAt = mtimeMs;
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return stopped(`The pid file ${file} is not there.`);
    return unknown(`The pid file cannot be read: ${reason(error)}`);
  }
  const pid = /^\s*([0-9]{1,10})\s*$/.exec(text)?.[1];
  if (pid === undefined) return unknown(`${file} is no pid file: it does not hold one number.`);
  const found = (await table.list()).find((it) => it.pid === Number(pid));
  if (!found) return stopped(`The pid file is stale: there is no process ${pid}.`);
  const startedAt = found.uptimeSeconds === undefined ? undefined : Date.now() - found.uptimeSeconds * 1000;
  if (startedAt !== undefined && startedAt > writtenAt + PID_FILE_TOLERANCE_S * 1000) {
    return stopped(`The pid file is stale: process ${pid} started after it was written.`);
  }
  if (name !== undefined && !hasName(found, name, platform)) return stopped(`The pid file is stale: process ${pid} is not ${name}.`);
  return running(found);
}

async function byName(name: string, server: Observed, table: ProcessTable, platform: NodeJS.Platform): Promise<ProcessReport> {
  const usual = platform === "win32" ? server.profile.process?.windows : server.profile.process?.linux;
  const generic = usual?.generic === true && usual.name === name;
  const candidates = (await table.list()).filter((it) => hasName(it, name, platform));
  const [only, ...others] = candidates;
  if (!only) return stopped();
  if (others.length === 0 && !generic) return running(only);

  // Several of the same name: the one that runs in the server's folder, or in a folder that holds it, is ours.
  const places = await Promise.all(candidates.map(async (it) => ({ it, folders: await foldersOf(it, platform) })));
  const here = places.filter(({ folders }) => folders.some((folder) => relation(server.folder, folder, platform) !== "elsewhere"));
  const around = places.filter(({ folders }) => folders.some((folder) => relation(folder, server.folder, platform) === "inside"));
  const ours = here.length > 0 ? here : around;
  if (ours[0] && ours.length === 1) return running(ours[0].it);
  // One server may be several processes, a starter and the game: the largest does the work.
  const largest = here.map(({ it }) => it).toSorted((a, b) => (b.memoryBytes ?? 0) - (a.memoryBytes ?? 0))[0];
  if (largest) return running(largest);
  // Only Linux tells where a process runs; elsewhere its program may lie far from the server, as `java.exe` does.
  if (generic && platform === "linux" && ours.length === 0 && places.every(({ folders }) => folders.length > 0)) return stopped();
  const count = candidates.length === 1 ? "A process is" : `${candidates.length} processes are`;
  return unknown(`${count} called ${name}, and it cannot be told whether one belongs to this server. Set process.pid_file in config.yaml.`);
}

/** Names differ by letter case, but not on Windows. */
export function hasName({ names }: Pick<ProcessInfo, "names">, name: string, platform: NodeJS.Platform): boolean {
  const fold = (text: string) => (platform === "win32" ? text.toLowerCase() : text);
  const wanted = fold(name);
  const cut = platform === "linux" && name.length > LINUX_NAME_CHARS_MAX ? wanted.slice(0, LINUX_NAME_CHARS_MAX) : undefined;
  return names.some((it) => fold(it) === wanted) || (cut !== undefined && names.length === 1 && names[0] === cut);
}

/** The folders a process runs in, as far as this account may know: where it was started, on Linux; where its program lies, elsewhere. */
async function foldersOf({ pid, program }: ProcessInfo, platform: NodeJS.Platform): Promise<string[]> {
  if (platform !== "linux")
    return program === undefined ? [] : [platform === "win32" ? path.win32.dirname(program) : path.posix.dirname(program)];
  // A process of another account keeps its folder to itself.
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return folder === undefined ? [] : [folder];
}

function running({ pid, cpuPercent, memoryBytes, uptimeSeconds }: ProcessInfo): ProcessReport {
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    process: {
      state: "running",
      pid,
      ...(cpuPercent !== undefined && { cpuPercent: round(cpuPercent) }),
      ...(memoryBytes !== undefined && { memoryBytes }),
      ...(uptimeSeconds !== undefined && { uptimeSeconds: round(uptimeSeconds) }),
    },
    problems: [],
  };
}

function stopped(...problems: string[]): ProcessReport {
  return { process: { state: "stopped" }, problems };
}

function unknown(problem: string): ProcessReport {
  return { process: { state: "unknown" }, problems: [problem] };
}
