import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import path from "node:path";

/** What a test is skipped with where there is no restic. */
export const SKIP_REASON = "skipped: install restic";

const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

export interface ResticResult {
  stdout: string;
  stderr: string;
  code: number;
}

export interface ResticOptions {
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** Where relative paths begin. */
  cwd?: string;
}

/** The path of the real restic; null where it is not installed. */
export function resticProgram(): string | null {
  const name = process.platform === "win32" ? "restic.exe" : "restic";
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** Runs the real restic on a repository, without a cache of its own and in UTC. A failure is a code, not an error. */
export async function runRestic(
  repository: string,
  password: string,
  args: readonly string[],
  { env = {}, signal, cwd }: ResticOptions = {},
): Promise<ResticResult> {
  return await run(program(), repository, password, ["--no-cache", ...args], { env, signal, cwd, encoding: "utf8" });
}

/** As `runRestic`, for contents that are not text. @throws when restic fails. */
export async function resticOutput(repository: string, password: string, args: readonly string[]): Promise<Buffer> {
  const { stdout, stderr, code } = await run(program(), repository, password, ["--no-cache", ...args], { env: {}, encoding: "latin1" });
  if (code !== 0) throw new Error(`restic ${args.join(" ")} ended with code ${code}: ${stderr}`);
  return Buffer.from(stdout, "latin1");
}

function program(): string {
  const found = resticProgram();
  if (found === null) throw new Error(SKIP_REASON);
  return found;
}

interface RunOptions extends ResticOptions {
  encoding: BufferEncoding;
}

function run(file: string, repository: string, password: string, args: string[], options: RunOptions): Promise<ResticResult> {
  const { env, signal, cwd, encoding } = options;
  const variables = { ...process.env, TZ: "UTC", RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: password, ...env };
  return new Promise((resolve, reject) => {
    execFile(file, args, { env: variables, signal, cwd, encoding, maxBuffer: OUTPUT_BYTES_MAX }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve({ stdout, stderr, code: error === null ? 0 : Number(error.code) });
    });
  });
}
