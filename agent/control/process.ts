import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { statSync } from "node:fs";
import path from "node:path";
import type { ProcessControl } from "../config/host-config.ts";
import { lookUp } from "../config/paths.ts";
import { reason } from "../monitor/bounded.ts";
import type { ControlDeps, ServerControl } from "./control.ts";
import { openOutputLog } from "./output-log.ts";
import { bootOf, familyOf, findMarked, identify, identifyChild, isSame, MARK_VARIABLE, type ProcessIdentity } from "./process-identity.ts";
import { claimStart, readClaim, readRecord, releaseStart, removeRecord, type Starting, startingOf, writeRecord } from "./process-record.ts";
import { ask, cannotStart, environmentOf, programName } from "./programs.ts";
import { startFailed, stopFailed, stopTimedOut, waitFor } from "./wait.ts";

/** What is killed is gone within moments, unless a disk hangs; in milliseconds. */
const KILL_TIMEOUT_MS = 15_000;
/**
 * A process that was forked right before the agent was killed becomes the game some milliseconds later, and only then can be known. So long after a
 * claim it is for sure, in milliseconds.
 */
const FORKED_MS = 2000;

interface Seen {
  state: "running" | "stopped" | "unknown";
  /** The process that was started, while it lives. */
  leader?: ProcessIdentity;
  /** All that belongs to it and lives. */
  family: ProcessIdentity[];
  /** Why it is unknown, or cannot be stopped, in words. */
  problem?: string;
}

const STOPPED: Seen = { state: "stopped", family: [] };

/** Arguments of Windows' `taskkill` for a process and its children; without `/F` it asks. */
export function taskkill(pid: number, force: boolean, env: NodeJS.ProcessEnv): string[] {
  const program = path.win32.join(lookUp(env, "SystemRoot", "win32") ?? "C:\\Windows", "System32", "taskkill.exe");
  return [program, "/PID", String(pid), "/T", ...(force ? ["/F"] : [])];
}

/** Starts a server as a process of its own, and stops what it has started; never anything else. */
export function processControl(control: ProcessControl, deps: Required<ControlDeps>): ServerControl {
  const { clock, env, platform } = deps;
  const { pidFile, stopTimeoutMs } = control;
  const way = `process ${programName(control.start)}`;

  const look = async (signal: AbortSignal): Promise<Seen> => {
    signal.throwIfAborted();
    try {
      return (await interruptedStart(signal)) ?? (await recorded(signal));
    } catch (error) {
      signal.throwIfAborted();
      return { state: "unknown", family: [], problem: reason(error) };
    }
  };

  const recorded = async (signal: AbortSignal): Promise<Seen> => {
    const record = readRecord(pidFile);
    if (record === undefined || record.boot !== bootOf(platform)) return STOPPED;
    const now = await identify(record.pid, { platform, env, signal });
    const leader = isSame(now, record) ? record : undefined;
    const family = platform === "linux" ? familyOf(record) : leader ? [leader] : [];
    if (leader) return { state: "running", leader, family };
    if (family.length === 0) return STOPPED;
    const pids = family.map(({ pid }) => pid).join(", ");
    return {
      state: "running",
      family,
      problem: `the process that was started has ended, and others that it started still run (${pids}). End these by hand`,
    };
  };

  /** What became of a start that did not get to its end. Undefined when there was none, or when it is settled. */
  const interruptedStart = async (signal: AbortSignal): Promise<Seen | undefined> => {
    const first = readClaim(pidFile);
    if (first === undefined) return undefined;
    if (await isAlive(first.starting, signal)) return starting(first.starting);
    const age = Math.max(0, clock.now() - first.at);
    if (age < FORKED_MS) await clock.sleep(FORKED_MS - age, signal);
    const claim = readClaim(pidFile);
    if (claim === undefined) return undefined;
    if (await isAlive(claim.starting, signal)) return starting(claim.starting);
    if (claim.starting?.by.boot === bootOf(platform)) {
      if (platform !== "linux") {
        const problem = `the agent ended while it started the server. When the server does not run, remove ${startingOf(pidFile)}`;
        return { state: "unknown", family: [], problem };
      }
      const found = await findMarked(claim.starting.mark);
      if (found) writeRecord(pidFile, found);
    }
    releaseStart(pidFile);
    return undefined;
  };

  /** Whether the agent that began a start is still at it. */
  const isAlive = async (begun: Starting | undefined, signal: AbortSignal): Promise<boolean> =>
    begun?.by.boot === bootOf(platform) && isSame(await identify(begun.by.pid, { platform, env, signal }), begun.by);

  const starting = (begun: Starting | undefined): Seen => ({
    state: "unknown",
    family: [],
    problem: `process ${begun?.by.pid} of the agent is starting it`,
  });

  const start = async (signal: AbortSignal) => {
    const before = await look(signal);
    if (before.state === "running") return;
    if (before.state === "unknown") throw startFailed(way, `${before.problem}.`);
    if (!statSync(control.cwd, { throwIfNoEntry: false })?.isDirectory()) throw startFailed(way, `there is no folder ${control.cwd}.`);
    const by = await identify(process.pid, { platform, env, signal });
    if (by === undefined) throw startFailed(way, "the agent does not find its own process.");
    const mark = randomUUID();
    if (!claimStart(pidFile, { mark, by })) throw startFailed(way, "another process of the agent is starting it.");
    try {
      await launch(mark);
    } finally {
      releaseStart(pidFile);
    }
  };

  const launch = async (mark: string) => {
    const [program = "", ...args] = control.start;
    const log = openOutputLog(control.logFile);
    const child = spawn(program, args, {
      cwd: control.cwd,
      env: { ...environmentOf(env, control.env, platform), [MARK_VARIABLE]: mark },
      // A session of its own: neither the end of the agent nor Ctrl+C on its terminal is meant for the game.
      detached: true,
      stdio: ["ignore", log.handle, log.handle],
      windowsHide: true,
    });
    log.close();
    // Before anything is awaited: until then it cannot have been taken note of as ended, and its number is its own.
    const pid = child.pid;
    if (pid === undefined) {
      const [error] = (await once(child, "error")) as [NodeJS.ErrnoException];
      throw startFailed(way, `${cannotStart(error, program)}.`);
    }
    child.on("error", () => undefined);
    child.unref();
    const never = new AbortController().signal;
    const identity = platform === "linux" ? identifyChild(pid) : await identify(pid, { platform, env, signal: never });
    // It has ended already; the probe will say so.
    if (identity === undefined) removeRecord(pidFile);
    else writeRecord(pidFile, identity);
  };

  const askToEnd = async (leader: ProcessIdentity, signal: AbortSignal): Promise<string | undefined> => {
    // kill(-1) would be meant for every process of the host, kill(0) for the agent.
    if (leader.pid <= 1) return `${leader.pid} is no process of a game server`;
    if (platform === "win32") {
      const { code, problem } = await ask(taskkill(leader.pid, false, env), { env: environmentOf(env, {}, platform), signal });
      return code === 0 ? undefined : problem;
    }
    try {
      // The whole session, so that a script in front of the game does not keep it to itself.
      process.kill(-leader.pid, control.stopSignal);
      return undefined;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ESRCH") return undefined;
      return reason(error);
    }
  };

  const kill = async (leader: ProcessIdentity, family: readonly ProcessIdentity[], signal: AbortSignal) => {
    if (platform === "win32") {
      if (isSame(await identify(leader.pid, { platform, env, signal }), leader))
        await ask(taskkill(leader.pid, true, env), { env: environmentOf(env, {}, platform), signal });
      return;
    }
    for (const member of family) {
      // Looked up right before, so that a number which was just given away is not hit.
      if (!isSame(await identify(member.pid, { platform, env, signal }), member)) continue;
      try {
        process.kill(member.pid, "SIGKILL");
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw stopFailed(way, `${reason(error)}.`);
      }
    }
  };

  const stop = async (signal: AbortSignal) => {
    const seen = await look(signal);
    if (seen.state === "stopped") return removeRecord(pidFile);
    const { leader } = seen;
    if (seen.state === "unknown" || leader === undefined) throw stopFailed(way, `${seen.problem}.`);
    const refused = await askToEnd(leader, signal);
    if (refused !== undefined && !control.kill) throw stopFailed(way, `${refused}. Nothing was killed.`);
    let last = seen;
    const isStopped = async () => {
      last = await look(signal);
      return last.state === "stopped";
    };
    if (await waitFor(isStopped, { timeoutMs: stopTimeoutMs, clock, signal })) return removeRecord(pidFile);
    if (!control.kill)
      throw stopTimedOut(
        way,
        stopTimeoutMs,
        `Raise control.stop_timeout when it needs longer to save. It was not killed: control.kill is false.`,
      );
    await kill(leader, last.family, signal);
    if (await waitFor(isStopped, { timeoutMs: KILL_TIMEOUT_MS, clock, signal })) return removeRecord(pidFile);
    throw stopTimedOut(way, stopTimeoutMs, "It could not even be killed: does a disk hang, or does it belong to another account?");
  };

  return { way, state: async (signal) => (await look(signal)).state, stop, start };
}
