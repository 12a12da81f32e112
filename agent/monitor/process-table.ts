import { readdir, readFile, readlink } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import path from "node:path";
import type { Clock } from "../clock.ts";
import { bounded } from "./bounded.ts";

/** A running process as the host sees it. */
export interface ProcessInfo {
  pid: number;
  /** Every name it goes by: of its program file, of its first argument, and the kernel's, which Linux cuts at 15 characters. */
  names: string[];
  uptimeSeconds?: number;
  /** Of one core: 100 is one core busy. Known from the second look on. */
  cpuPercent?: number;
  memoryBytes?: number;
  /** The program file, where the listing has it. */
  program?: string;
}

/** The processes of this host. */
export interface ProcessTable {
  /** All of them, at most SAMPLE_LIFE_MS old. */
  list(): Promise<ProcessInfo[]>;
}

/** A listing serves every server that is looked at within so many milliseconds. */
export const SAMPLE_LIFE_MS = 3000;
/** A listing that takes longer is given up; PowerShell needs a second or two on a busy Windows host. */
const LISTING_TIMEOUT_MS = 4500;
/** CPU time is measured over at least so many milliseconds; the first look waits that long. */
const CPU_WINDOW_MS = 400;
/** Linux counts CPU time in ticks of 1/100 s (USER_HZ, see proc(5)). */
const TICKS_PER_SECOND = 100;
/** So many processes are looked at. The default limit of Linux is 32,768. */
const PROCESSES_MAX = 32_768;
/** So many are read at once. */
const READS_AT_ONCE = 64;

interface Sample extends ProcessInfo {
  /** Tells a process from a later one with the same id. */
  birth: number;
  cpuSeconds?: number;
}

interface Snapshot {
  at: number;
  byPid: Map<number, Sample>;
}

export function createProcessTable({ clock, platform = process.platform }: { clock: Clock; platform?: NodeJS.Platform }): ProcessTable {
  const take = async (): Promise<Snapshot> => {
    const at = clock.now();
    const samples = platform === "linux" ? await listLinux() : await listElsewhere(at);
    return { at, byPid: new Map(samples.map((it) => [it.pid, it])) };
  };
  let last: Snapshot | undefined;
  let listing: Promise<ProcessInfo[]> | undefined;

  const refresh = async (): Promise<ProcessInfo[]> => {
    let before = last;
    if (!before && platform === "linux") {
      before = await take();
      await clock.sleep(CPU_WINDOW_MS);
    }
    const now = await take();
    last = now;
    return Array.from(now.byPid.values(), (it) => withCpu(it, before?.byPid.get(it.pid), now.at - (before?.at ?? now.at)));
  };

  let freshUntil = Number.NEGATIVE_INFINITY;
  return {
    list() {
      if (!listing || clock.now() >= freshUntil) {
        freshUntil = Number.POSITIVE_INFINITY;
        listing = bounded(refresh(), LISTING_TIMEOUT_MS, "Listing processes").finally(() => {
          freshUntil = clock.now() + SAMPLE_LIFE_MS;
        });
        // A listing that failed is asked for again at once.
        listing.catch(() => {
          listing = undefined;
        });
      }
      return listing;
    },
  };
}

function withCpu({ birth, cpuSeconds, ...info }: Sample, before: Sample | undefined, elapsedMs: number): ProcessInfo {
  if (!before || before.birth !== birth) return { ...info, cpuPercent: undefined };
  if (cpuSeconds === undefined || before.cpuSeconds === undefined) return info;
  if (elapsedMs < CPU_WINDOW_MS / 2) return info;
  return { ...info, cpuPercent: Math.max(0, ((cpuSeconds - before.cpuSeconds) / (elapsedMs / 1000)) * 100) };
}

/**
 * From /proc. systeminformation would start a program for each process of the host (`cat /proc/PID/stat`), and guesses names from command lines.
 */
async function listLinux(): Promise<Sample[]> {
  const uptime = Number.parseFloat(await readFile("/proc/uptime", "utf8"));
  const pids = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name)).slice(0, PROCESSES_MAX);
  const samples: Sample[] = [];
  for (let at = 0; at < pids.length; at += READS_AT_ONCE) {
    const batch = await Promise.all(pids.slice(at, at + READS_AT_ONCE).map((pid) => readLinuxProcess(pid, uptime)));
    samples.push(...batch.filter((it) => it !== undefined));
  }
  return samples;
}

async function readLinuxProcess(pid: string, uptime: number): Promise<Sample | undefined> {
  try {
    const [stat, commandLine, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile(`/proc/${pid}/cmdline`, "utf8"),
      readFile(`/proc/${pid}/status`, "utf8"),
    ]);
    const program = await readlink(`/proc/${pid}/exe`).catch(() => undefined);
    const parsed = parseLinuxStat(stat);
    if (!parsed) return undefined;
    const argument = commandLine.split("\0", 1)[0] ?? "";
    const names = [parsed.name, path.win32.basename(argument), program === undefined ? "" : path.posix.basename(program)];
    const memory = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    const age = uptime - parsed.startTicks / TICKS_PER_SECOND;
    return {
      pid: Number(pid),
      names: [...new Set(names)].filter((it) => it !== ""),
      birth: parsed.startTicks,
      cpuSeconds: parsed.cpuTicks / TICKS_PER_SECOND,
      ...(age >= 0 && { uptimeSeconds: age }),
      ...(memory !== undefined && { memoryBytes: Number(memory) * 1024 }),
      ...(program !== undefined && { program }),
    };
  } catch {
    // It ended while it was looked at.
    return undefined;
  }
}

/** Reads a line of /proc/PID/stat, proc(5). Undefined for a zombie, which runs no more. */
export function parseLinuxStat(line: string): { name: string; cpuTicks: number; startTicks: number } | undefined {
  // The name stands in parentheses and may hold any character, also ") R 1".
  const end = line.lastIndexOf(")");
  const name = line.slice(line.indexOf("(") + 1, end);
  const fields = line.slice(end + 2).split(" ");
  // Numbered from 1 with the name as 2: state 3, utime 14, stime 15, starttime 22.
  const field = (number: number) => Number(fields[number - 3]);
  if (end < 0 || fields[0] === "Z" || fields[0] === "X" || !Number.isFinite(field(22))) return undefined;
  return { name, cpuTicks: field(14) + field(15), startTicks: field(22) };
}

/** On Windows and macOS from systeminformation, which asks PowerShell or `ps` once for all. Nothing of ours goes into its commands. */
async function listElsewhere(now: number): Promise<Sample[]> {
  const { processes } = await import("systeminformation");
  const { list } = await processes();
  const cores = cpus().length || availableParallelism();
  return list.slice(0, PROCESSES_MAX).map((it) => fromListing(it, { now, cores }));
}

/** One process as systeminformation lists it: `cpu` in percent of all cores, `memRss` in KiB, `started` as `yyyy-mm-dd hh:mm:ss` in local time. */
export function fromListing(
  listed: { pid: number; name: string; path: string; started: string; cpu: number; memRss: number },
  { now, cores }: { now: number; cores: number },
): Sample {
  const startedAt = Date.parse(listed.started.replace(" ", "T"));
  return {
    pid: listed.pid,
    names: [...new Set([listed.name, path.win32.basename(listed.path ?? "")])].filter((it) => it !== ""),
    birth: startedAt,
    cpuPercent: listed.cpu * cores,
    memoryBytes: Math.round(listed.memRss * 1024),
    ...(startedAt <= now && { uptimeSeconds: (now - startedAt) / 1000 }),
    ...(listed.path && { program: listed.path }),
  };
}
