import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { buildAgent } from "../../scripts/build.ts";

/** Builds the program into a folder that holds nothing else: no package.json, no node_modules. Answers the path of the bundle. */
export async function installProgram(folder: string): Promise<string> {
  await cp(fileURLToPath(new URL("../../games", import.meta.url)), join(folder, "games"), { recursive: true });
  const { outfile } = await buildAgent(join(folder, "dist/reconsync.js"));
  return outfile;
}

/** Installs the program for all tests of a file, and takes it away after them. */
export function programOfFile(): { readonly bundle: string } {
  let home = "";
  let bundle = "";
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "reconsync-program-"));
    bundle = await installProgram(home);
  });
  afterAll(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  return {
    get bundle() {
      return bundle;
    },
  };
}

/** How a program ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

/** A program that runs. It is killed when the test ends. */
export interface Running {
  child: ChildProcess;
  readonly err: string;
  ended: Promise<Ended>;
}

export function start(bundle: string, args: string[], given: { cwd: string; env?: NodeJS.ProcessEnv }): Running {
  const { PATH, SystemRoot } = process.env;
  // What a killed program leaves in its temporary folder goes with the test.
  const env = { PATH, SystemRoot, TMPDIR: given.cwd, TEMP: given.cwd, HOME: given.cwd, ...given.env };
  const child = spawn(process.execPath, [bundle, ...args], { cwd: given.cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    err += String(chunk);
  });
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  child.once("error", reject);
  child.once("close", (code, signal) => resolve({ code, signal, out, err }));
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    child,
    ended: promise,
    get err() {
      return err;
    },
  };
}
