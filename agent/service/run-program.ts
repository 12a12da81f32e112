import { execFile } from "node:child_process";

/** Bound of one run of a system's own program, in milliseconds. A unit may take its TimeoutStopSec to stop. */
const RUN_MAX_MS = 120_000;
/** Longest output that is kept, in bytes. */
const OUTPUT_MAX = 1024 * 1024;

export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** Runs a program to its end, with an array of arguments and never a shell. A program that is not there ends with 127, as in a shell. */
export type RunProgram = (file: string, args: readonly string[]) => Promise<Ran>;

export const runProgram: RunProgram = (file, args) => runWith(process.env, file, args);

export function runWith(env: NodeJS.ProcessEnv, file: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(file, [...args], { env, timeout: RUN_MAX_MS, maxBuffer: OUTPUT_MAX, windowsHide: true }, (error, out, err) => {
      if (error === null) resolve({ code: 0, out, err });
      else if (typeof error.code === "number") resolve({ code: error.code, out, err });
      else resolve({ code: error.code === "ENOENT" ? 127 : 1, out, err: err === "" ? error.message : err });
    });
  });
}
