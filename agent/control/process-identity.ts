import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { lookUp } from "../config/paths.ts";
import { ask } from "./programs.ts";

/**
 * Which process a number means. A number alone is given to another process when its owner has ended; a number with the time at which its
 * process began, and the boot in which that was, is given once.
 */

export interface ProcessIdentity {
  pid: number;
  /** When it began: ticks since boot on Linux, Windows' file time elsewhere. Compared, never calculated with. */
  birth: string;
  /** Names the boot of the host; empty where `birth` is a time of the calendar. */
  boot: string;
}

interface LinuxProcess {
  pid: number;
  birth: string;
  group: number;
  session: number;
}

/** Reads a line of /proc/PID/stat, proc(5). Undefined for one that has ended and only waits to be taken note of, unless `ended` is wanted too. */
export function parseStat(line: string, ended = false): Omit<LinuxProcess, "pid"> | undefined {
  // The name stands in parentheses and may hold any character, also ") R 1".
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  // Numbered from 1 with the name as 2: state 3, pgrp 5, session 6, starttime 22.
  const field = (number: number) => fields[number - 3] ?? "";
  if ((!ended && (field(3) === "Z" || field(3) === "X")) || !/^[0-9]+$/.test(field(22))) return undefined;
  return { birth: field(22), group: Number(field(5)), session: Number(field(6)) };
}

function linuxProcess(pid: number, ended = false): LinuxProcess | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // ESRCH: it ended between opening and reading.
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
  const stat = parseStat(line, ended);
  return stat && { pid, ...stat };
}

function linuxProcesses(): LinuxProcess[] {
  return readdirSync("/proc").flatMap((name) => (/^[0-9]+$/.test(name) ? (linuxProcess(Number(name)) ?? []) : []));
}

/** Changes with each boot of Linux; empty on Windows, whose times need none. */
export function bootOf(platform: NodeJS.Platform): string {
  return platform === "linux" ? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() : "";
}

/** Asks PowerShell when a process began; `none` when there is none. The number is the only thing of ours in it. */
export function birthQuestion(pid: number, env: NodeJS.ProcessEnv): string[] {
  if (!Number.isSafeInteger(pid) || pid <= 0) throw new Error(`${pid} is no process id`);
  const powershell = path.win32.join(
    lookUp(env, "SystemRoot", "win32") ?? "C:\\Windows",
    ...["System32", "WindowsPowerShell", "v1.0", "powershell.exe"],
  );
  const script = `$p = Get-Process -Id ${pid} -ErrorAction SilentlyContinue; if ($p) { $p.StartTime.ToFileTimeUtc() } else { 'none' }`;
  return [powershell, "-NoProfile", "-NonInteractive", "-Command", script];
}

/** Reads its answer. Undefined when it tells nothing, as of a process of another account. */
export function readBirth(answer: string): { birth: string } | "none" | undefined {
  const text = answer.trim();
  if (text === "none") return "none";
  return /^[0-9]{15,20}$/.test(text) ? { birth: text } : undefined;
}

/** Who has this number now. @throws an Error when that cannot be found out */
export async function identify(
  pid: number,
  given: { platform: NodeJS.Platform; env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<ProcessIdentity | undefined> {
  const { platform, env, signal } = given;
  const boot = bootOf(platform);
  if (platform === "linux") {
    const found = linuxProcess(pid);
    return found && { pid, birth: found.birth, boot };
  }
  const { out, problem } = await ask(birthQuestion(pid, env), { env, signal });
  const birth = readBirth(out);
  if (birth === undefined) throw new Error(`when process ${pid} began cannot be found out${problem === "" ? "" : `: ${problem}`}`);
  return birth === "none" ? undefined : { pid, birth: birth.birth, boot };
}

/**
 * Who a child is that was spawned in this very turn of the event loop. It may have ended already, and left others behind that are known by it; its number is
 * its own until the event loop has taken note of its end.
 */
export function identifyChild(pid: number): ProcessIdentity | undefined {
  const found = linuxProcess(pid, true);
  return found && { pid, birth: found.birth, boot: bootOf("linux") };
}

export function isSame(one: ProcessIdentity | undefined, other: ProcessIdentity): boolean {
  return one?.pid === other.pid && one.birth === other.birth && one.boot === other.boot;
}

/**
 * What a process on Linux started that leads a session of its own, itself included; empty when all of it has ended. Its number is not given
 * away while one of them lives, so a leader of another birth means that all have ended.
 */
export function familyOf(leader: ProcessIdentity): ProcessIdentity[] {
  if (leader.pid <= 1 || leader.boot !== bootOf("linux")) return [];
  const members = linuxProcesses().filter((it) => it.group === leader.pid && it.session === leader.pid);
  if (members.some((it) => it.pid === leader.pid && it.birth !== leader.birth)) return [];
  return members.filter((it) => BigInt(it.birth) >= BigInt(leader.birth)).map(({ pid, birth }) => ({ pid, birth, boot: leader.boot }));
}

/** A variable by which a process on Linux is known that was started in the moment in which the agent was killed. */
export const MARK_VARIABLE = "RECONSYNC_START";

/** Who was started with the mark: the leader of its session, or where that has ended, the number of the session with what is left of it. */
export async function findMarked(mark: string): Promise<ProcessIdentity | undefined> {
  const boot = bootOf("linux");
  let eldest: LinuxProcess | undefined;
  for (const it of linuxProcesses()) {
    // Of other accounts it cannot be read, and those the agent has not started.
    const variables = await readFile(`/proc/${it.pid}/environ`, "utf8").catch(() => "");
    if (!variables.split("\0").includes(`${MARK_VARIABLE}=${mark}`)) continue;
    if (it.pid === it.session) return { pid: it.pid, birth: it.birth, boot };
    if (eldest === undefined || BigInt(it.birth) < BigInt(eldest.birth)) eldest = it;
  }
  return eldest && { pid: eldest.session, birth: eldest.birth, boot };
}
