import { type ExecFileException, execFile, spawn } from "node:child_process";
import type { Clock } from "../clock.ts";
import { lookUp } from "../config/paths.ts";
import type { Secret } from "../config/secret.ts";
import { oneLine, openOutputLog, tailOf } from "./output-log.ts";

/** A program that only tells something, such as `systemctl show`, may take so long, in milliseconds. */
export const TELL_TIMEOUT_MS = 15_000;
/** Longest answer of it that is kept, in bytes. */
const ANSWER_MAX = 64 * 1024;

/**
 * What of the agent's environment others get. All else stays with the agent: its environment may hold secrets, and a game server runs
 * code of strangers (mods, plug-ins).
 */
const PASSED_ON = [
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"],
  ...["DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "CONTAINER_HOST"],
];
const PASSED_ON_WINDOWS = [
  ...["Path", "PATHEXT", "SystemRoot", "SystemDrive", "windir", "ComSpec", "TEMP", "TMP", "USERNAME", "USERPROFILE", "APPDATA"],
  ...["LOCALAPPDATA", "ProgramData", "ProgramFiles", "ProgramFiles(x86)", "CommonProgramFiles", "NUMBER_OF_PROCESSORS"],
  ...["PROCESSOR_ARCHITECTURE", "DOCKER_HOST", "DOCKER_CONFIG"],
];

/** The environment of programs that the agent runs for a server. */
export function environmentOf(
  env: NodeJS.ProcessEnv,
  own: Readonly<Record<string, Secret>>,
  platform: NodeJS.Platform,
): Record<string, string> {
  const names = platform === "win32" ? PASSED_ON_WINDOWS : [...PASSED_ON, ...Object.keys(env).filter((name) => name.startsWith("LC_"))];
  const passed = names.flatMap((name) => {
    const value = lookUp(env, name, platform);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(passed), ...Object.fromEntries(Object.entries(own).map(([name, value]) => [name, value.reveal()])) };
}

export interface Answer {
  /** Undefined when it was ended, or did not answer in time. */
  code: number | undefined;
  out: string;
  /** Why, in words, when the code is not 0. */
  problem: string;
}

/** Runs a program that only tells something, to its end. Never throws, but when the signal fires. */
export async function ask(
  [program = "", ...args]: readonly string[],
  { env, signal, timeoutMs = TELL_TIMEOUT_MS }: { env: NodeJS.ProcessEnv; signal: AbortSignal; timeoutMs?: number },
): Promise<Answer> {
  signal.throwIfAborted();
  const answer = await new Promise<Answer>((resolve) => {
    const bounds = { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: ANSWER_MAX } as const;
    const child = execFile(program, args, { env, signal, ...bounds, windowsHide: true }, (error, out, err) => {
      if (error === null) return resolve({ code: 0, out, problem: "" });
      const said = oneLine(err === "" ? out : err);
      resolve({
        code: typeof error.code === "number" ? error.code : undefined,
        out,
        problem: `${failure(error, program, timeoutMs)}${said === "" ? "" : `: ${said}`}`,
      });
    });
    child.stdin?.on("error", () => undefined).end();
  });
  signal.throwIfAborted();
  return answer;
}

function failure(error: ExecFileException, program: string, timeoutMs: number): string {
  if (typeof error.code === "number") return `${program} ended with exit code ${error.code}`;
  if (error.killed === true) return `${program} did not answer in ${timeoutMs / 1000} s`;
  return cannotStart(error, program);
}

/** Why a program could not be started, in words. */
export function cannotStart(error: Error & { code?: string | number | null }, program: string): string {
  if (error.code === "ENOENT") return `there is no program "${program}"`;
  if (error.code === "EACCES" || error.code === "EPERM" || error.code === "EINVAL") return `"${program}" cannot be run (${error.code})`;
  return `"${program}" cannot be run: ${error.message}`;
}

export interface Command {
  command: readonly string[];
  env: NodeJS.ProcessEnv;
  /** Gets what it prints. */
  logFile: string;
  timeoutMs: number;
  clock: Clock;
  signal: AbortSignal;
}

export type Done = { state: "ended"; code: number; said: string } | { state: "late" } | { state: "failed"; problem: string };

/**
 * Runs a program that does something and may leave others running. What it prints goes to a file and not to a pipe: who is left running
 * would otherwise hold the pipe, and fail on it when the agent ends. When the signal fires it runs on, unwatched: half a start is worse
 * than a whole one.
 */
export async function carryOut({ command: [program = "", ...args], env, logFile, timeoutMs, clock, signal }: Command): Promise<Done> {
  signal.throwIfAborted();
  const log = openOutputLog(logFile);
  const { promise, resolve } = Promise.withResolvers<Done>();
  // Detached: Ctrl+C on the agent's terminal is not meant for the game.
  const child = spawn(program, args, { env, detached: true, stdio: ["ignore", log.handle, log.handle], windowsHide: true });
  log.close();
  child.once("error", (error) => resolve({ state: "failed", problem: cannotStart(error, program) }));
  child.once("exit", (code, by) => {
    tailOf(logFile, log.size).then(
      (said) => resolve(code === null ? { state: "failed", problem: `"${program}" was ended by ${by}` } : { state: "ended", code, said }),
      (error: unknown) => resolve({ state: "failed", problem: `${logFile} cannot be read: ${String(error)}` }),
    );
  });
  const waiting = new AbortController();
  const late = clock.sleep(timeoutMs, AbortSignal.any([signal, waiting.signal])).then(
    (): Done => ({ state: "late" }),
    (error: unknown) => {
      if (waiting.signal.aborted) return promise;
      throw error;
    },
  );
  try {
    const done = await Promise.race([promise, late]);
    // It is our own child, not one that was found.
    if (done.state === "late") child.kill("SIGTERM");
    return done;
  } finally {
    waiting.abort();
    child.unref();
  }
}

/** What a program is called, without its folders: it stands in messages, and paths of a host are not for everybody. */
export function programName([program = ""]: readonly string[]): string {
  return program.split(/[\\/]/).at(-1) ?? program;
}
