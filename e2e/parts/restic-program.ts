import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Bound of one command, in milliseconds. */
const COMMAND_TIMEOUT_MS = 120_000;

/** Version of the `restic` program on this machine, or null when there is none. */
export async function resticVersion(): Promise<string | null> {
  try {
    return (await run("restic", ["version"])).stdout.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** The real `restic` program with one repository. */
export class ResticRunner {
  readonly #env: NodeJS.ProcessEnv;

  /** `folder` takes its cache. */
  constructor(repository: string, password: string, folder: string) {
    this.#env = {
      PATH: process.env.PATH,
      HOME: folder,
      RESTIC_CACHE_DIR: join(folder, "cache"),
      RESTIC_REPOSITORY: repository,
      RESTIC_PASSWORD: password,
    };
  }

  /** Runs a command that has to succeed and answers its output. */
  async do(...args: string[]): Promise<string> {
    const { stdout } = await run("restic", args, { env: this.#env, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 });
    return stdout;
  }

  async snapshots(): Promise<{ id: string; tags?: string[] }[]> {
    return (JSON.parse(await this.do("snapshots", "--json")) as { id: string; tags?: string[] }[] | null) ?? [];
  }

  /**
   * Runs a command that the server refuses. restic tries again for a while; it is interrupted when it has said why. Answers what it
   * printed.
   */
  async refused(reason: RegExp, ...args: string[]): Promise<string> {
    const child = spawn("restic", args, { env: this.#env, stdio: ["ignore", "pipe", "pipe"], timeout: COMMAND_TIMEOUT_MS });
    let printed = "";
    const take = (chunk: Buffer) => {
      const before = reason.test(printed);
      printed += chunk.toString();
      if (!before && reason.test(printed)) child.kill("SIGINT");
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    const [code] = (await once(child, "close")) as [number | null];
    if (code === 0 || !reason.test(printed)) throw new Error(`restic ${args[0]} was not refused (exit ${code}): ${printed}`);
    return printed;
  }
}
