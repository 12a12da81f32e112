import type { ServerStatus } from "../../schemas/status.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { bounded, reason } from "./bounded.ts";
import { type DiskSpace, diskOf } from "./disk.ts";
import { observePort } from "./port.ts";
import { observeProcess } from "./process.ts";
import { createProcessTable, type ProcessTable } from "./process-table.ts";
import { observeQuery } from "./query.ts";
import { cleanText } from "./text.ts";

/** No part may take longer, and all run side by side: a look at a server ends within this. */
export const OBSERVE_TIMEOUT_MS = 5000;
/** As schemas/status.ts allows. */
const PROBLEMS_MAX = 5;
const PROBLEM_CHARS_MAX = 200;

export interface ObserveOptions {
  clock: Clock;
  /** The processes of this host; by default one table for the whole agent, so that many servers cost one listing. */
  processes?: ProcessTable;
  platform?: NodeJS.Platform;
  /** What is wrong with the server as far as somebody knows already, in words. */
  problems?: readonly string[];
}

let sharedProcesses: ProcessTable | undefined;

/**
 * What can be seen of a server now. Never throws: a part that could not be looked at is left out or "unknown", and `problems` says why.
 */
export async function observe(
  server: ServerConfig,
  { clock, processes, platform = process.platform, problems: known = [] }: ObserveOptions,
): Promise<ServerStatus> {
  if (!processes) sharedProcesses ??= createProcessTable({ clock });
  const table = processes ?? sharedProcesses ?? createProcessTable({ clock });
  const { store } = server.backup;
  const [seenProcess, seenPort, seenQuery, worldDisk, backupDisk] = await Promise.all([
    part("Listing processes", observeProcess(server, table, platform)),
    part("Looking at the port", observePort(server, platform)),
    part("The query", observeQuery(server)),
    part("Looking at the disk of the game", diskOf(server.folder)),
    store.type === "local" ? part("Looking at the disk of the backups", diskOf(store.folder)) : undefined,
  ]);
  const query = seenQuery.value?.query;
  const problems = [
    ...known,
    ...(seenProcess.value?.problems ?? []),
    ...(seenPort.value?.problems ?? []),
    ...(seenQuery.value?.problems ?? []),
    ...[seenProcess, seenPort, seenQuery, worldDisk, backupDisk].flatMap((it) => it?.problem ?? []),
  ];
  return {
    server: server.id,
    at: clock.now(),
    process: seenProcess.value?.process ?? { state: "unknown" },
    port: portAfterQuery(seenPort.value?.port ?? { state: "unknown" }, server, query),
    ...(query && { query }),
    ...(worldDisk.value && { worldDisk: space(worldDisk.value) }),
    ...(backupDisk?.value && { backupDisk: space(backupDisk.value) }),
    problems: problems.slice(0, PROBLEMS_MAX).map((it) => cleanText(it, PROBLEM_CHARS_MAX)),
  };
}

/** A server that answers on its game port has it open, whatever could be seen from outside. */
export function portAfterQuery(
  port: ServerStatus["port"],
  { ports }: Pick<ServerConfig, "ports">,
  query: ServerStatus["query"],
): ServerStatus["port"] {
  const answeredThere = query?.state === "answered" && (ports.query ?? ports.game) === port.number;
  return answeredThere && port.state === "unknown" ? { ...port, state: "open" } : port;
}

const space = ({ freeBytes, totalBytes }: DiskSpace) => ({ freeBytes, totalBytes });

async function part<T>(what: string, work: Promise<T>): Promise<{ value?: T; problem?: string }> {
  try {
    return { value: await bounded(work, OBSERVE_TIMEOUT_MS, what) };
  } catch (error) {
    return { problem: `${what} failed: ${reason(error)}` };
  }
}
