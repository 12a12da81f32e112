import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as z from "zod/mini";
import type { ProcessIdentity } from "./process-identity.ts";

/**
 * What is written of a process that the agent started: its number in the pid file, for whoever reads such files; who that is in
 * `PID_FILE.json`; and that one is about to be started in `PID_FILE.starting`, so that one is not lost sight of when the agent is killed
 * in between.
 */

const identity = z.object({ pid: z.int().check(z.positive()), birth: z.string(), boot: z.string() });
/** Never 1: that is the host's first process, and a signal to its "group" goes to everybody. */
const started = z.object({ ...identity.shape, pid: z.int().check(z.gt(1)) });
const starting = z.object({ mark: z.string(), by: identity });

export type Starting = z.infer<typeof starting>;

const recordOf = (pidFile: string) => `${pidFile}.json`;
export const startingOf = (pidFile: string) => `${pidFile}.starting`;

/** Undefined when none was started, or when it is known to have ended. @throws an Error for a file that is not ours */
export function readRecord(pidFile: string): ProcessIdentity | undefined {
  return read(recordOf(pidFile), started);
}

/** A claim to start a server. Without `starting` its writer was killed before it had written it, and so before it started anything. */
export interface Claim {
  starting?: Starting;
  /** When it was made, in milliseconds since the epoch. */
  at: number;
}

export function readClaim(pidFile: string): Claim | undefined {
  const file = startingOf(pidFile);
  try {
    const at = statSync(file).mtimeMs;
    const parsed = starting.safeParse(jsonOrNothing(readFileSync(file, "utf8")));
    return parsed.success ? { starting: parsed.data, at } : { at };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function read<T>(file: string, schema: z.ZodMiniType<T>): T | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`${file} is damaged. When the server does not run, remove it`, { cause: error });
  }
}

/** Durable before anything is started. False when somebody else is about to start one. */
export function claimStart(pidFile: string, claim: Starting): boolean {
  mkdirSync(dirname(pidFile), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(startingOf(pidFile), JSON.stringify(claim), { flag: "wx", mode: 0o600, flush: true });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

export function releaseStart(pidFile: string): void {
  rmSync(startingOf(pidFile), { force: true });
}

/** Who it is first: a pid file without is not trusted. */
export function writeRecord(pidFile: string, who: ProcessIdentity): void {
  replace(recordOf(pidFile), JSON.stringify(who));
  replace(pidFile, `${who.pid}\n`);
}

export function removeRecord(pidFile: string): void {
  rmSync(pidFile, { force: true });
  rmSync(recordOf(pidFile), { force: true });
}

function replace(file: string, text: string): void {
  const aside = `${file}.${process.pid}.tmp`;
  writeFileSync(aside, text, { mode: 0o644, flush: true });
  renameSync(aside, file);
}
