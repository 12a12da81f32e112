import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import { NEEDS_A_PERSON, RESTART_S } from "./exit-codes.ts";
import { RotatingFile } from "./rotating-file.ts";

/** Longest pause between two starts, in milliseconds; it doubles from RESTART_S while the agent keeps failing soon. */
const RESTART_MAX_MS = 5 * 60_000;
/** An agent that ran for so long, in milliseconds, has not failed soon. */
const SETTLED_MS = 10 * 60_000;

export interface Supervised {
  node: string;
  /** The script and its arguments. */
  args: readonly string[];
  logFile: string;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Runs the agent where the system itself neither keeps its log nor starts it again after a failure, as the Task Scheduler of Windows. Ends
 * with the agent's exit code when that was told to stop, or when a person is needed.
 */
export async function supervise(given: Supervised): Promise<number> {
  mkdirSync(dirname(given.logFile), { recursive: true });
  const log = new RotatingFile(given.logFile);
  const note = (text: string) => log.write(Buffer.from(`${new Date(given.clock.now()).toISOString()} ${text}\n`));
  try {
    for (let pause = RESTART_S * 1000; ; ) {
      const startedAt = given.clock.now();
      const code = await runOnce(given, log);
      if (given.signal.aborted || code === 0 || NEEDS_A_PERSON.includes(code)) {
        note(`the agent ended with ${code}`);
        return code;
      }
      if (given.clock.now() - startedAt >= SETTLED_MS) pause = RESTART_S * 1000;
      note(`the agent ended with ${code}; it is started again in ${pause / 1000} s`);
      await given.clock.sleep(pause, given.signal).catch((error: unknown) => {
        if (!given.signal.aborted) throw error;
      });
      if (given.signal.aborted) return code;
      pause = Math.min(pause * 2, RESTART_MAX_MS);
    }
  } finally {
    log.close();
  }
}

function runOnce({ node, args, signal }: Supervised, log: RotatingFile): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(node, [...args], { stdio: ["ignore", "pipe", "pipe"], windowsHide: true });
  child.stdout.on("data", (chunk: Buffer) => log.write(chunk));
  child.stderr.on("data", (chunk: Buffer) => log.write(chunk));
  const stop = () => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  child.once("error", reject);
  child.once("close", (code) => resolve(code ?? 1));
  return promise.finally(() => signal.removeEventListener("abort", stop));
}
