import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What one process took, from start to end, with its children. */
export interface Measured {
  seconds: number;
  /** Of the CPU, user and system; null where GNU time is not installed. */
  cpuSeconds: number | null;
  /** Largest resident set of the process, or of a child of it; null where GNU time is not installed. */
  peakMb: number | null;
}

export interface Step {
  program: string;
  args: readonly string[];
  cwd?: string;
  env?: Readonly<Record<string, string>>;
}

/** Bound of one step, in milliseconds. */
const STEP_MS = 30 * 60_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
/** Debian's package `time`. The shell's own `time` knows no memory. */
const GNU_TIME = "/usr/bin/time";
const MARK = "measured:";

/** Runs a program to its end. Throws what it said when it failed. */
export async function measured({ program, args, cwd, env }: Step, signal: AbortSignal): Promise<Measured> {
  const options = { cwd, env: { ...process.env, ...env }, timeout: STEP_MS, maxBuffer: OUTPUT_BYTES_MAX, signal };
  const hasTime = await gnuTime();
  const startedAt = performance.now();
  const { stderr } = hasTime
    ? await run(GNU_TIME, ["-f", `${MARK} %U %S %M`, program, ...args], options)
    : await run(program, [...args], options);
  const seconds = (performance.now() - startedAt) / 1000;
  const figures = stderr.split("\n").findLast((line) => line.startsWith(MARK));
  if (figures === undefined) return { seconds, cpuSeconds: null, peakMb: null };
  const [user = 0, system = 0, kib = 0] = figures.slice(MARK.length).trim().split(" ").map(Number);
  return { seconds, cpuSeconds: user + system, peakMb: (kib * 1024) / 1e6 };
}

async function gnuTime(): Promise<boolean> {
  try {
    await access(GNU_TIME);
    return true;
  } catch {
    return false;
  }
}

/** True when a program is there. */
export async function installed(program: string, args: readonly string[] = ["--version"]): Promise<boolean> {
  try {
    await run(program, [...args]);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ENOENT");
  }
}
