import type { ChildProcess } from "node:child_process";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import type { Sandbox } from "../../sandbox/index.ts";
import { ROOT } from "./worker.ts";

const run = promisify(execFile);

/** The bundle that hosts get. Built by scripts/build.ts. */
export const BUNDLE = join(ROOT, "dist/reconsync.js");
/** Bound of a command that should end by itself, in milliseconds. */
const COMMAND_TIMEOUT_MS = 60_000;

export interface AgentOptions {
  /** Folder for config and state. */
  folder: string;
  /** What config.yaml holds, as an object. */
  config: Record<string, unknown>;
  env?: Record<string, string>;
  /** Each line that the agent logs. */
  onLog?: (line: string) => void;
}

/** The enrolment code in what `/agent register` answered. */
export function enrolmentCodeIn(answer: string): string {
  const code = /enroll \S+ ([0-9a-z-]+)/.exec(answer)?.[1];
  if (code === undefined) throw new Error(`/agent register gave no code: ${answer}`);
  return code;
}

/** A real agent in a process of its own, from the very bundle that hosts run. */
export class AgentProcess {
  readonly #options: AgentOptions;
  readonly configFile: string;
  readonly stateFile: string;
  /** Opens the repositories of this host, once there is one. */
  readonly keyFile: string;
  #child: ChildProcess | null = null;
  readonly log: string[] = [];

  private constructor(options: AgentOptions) {
    this.#options = options;
    this.configFile = join(options.folder, "config.yaml");
    this.stateFile = join(options.folder, "state.db");
    this.keyFile = join(options.folder, "recovery-key");
  }

  static async prepare(options: AgentOptions): Promise<AgentProcess> {
    await mkdir(options.folder, { recursive: true });
    const agent = new AgentProcess(options);
    await writeFile(agent.configFile, stringify({ state: agent.stateFile, ...options.config }));
    return agent;
  }

  /** Runs one command of the agent to its end. */
  async command(...args: string[]): Promise<{ stdout: string; stderr: string }> {
    const [name = "", ...rest] = args;
    const all = [BUNDLE, name, "--config", this.configFile, ...rest];
    return run(process.execPath, all, { env: this.#env(), timeout: COMMAND_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 });
  }

  /** Enrols by the real flow: `/agent register` in the sandbox, the code from its answer, `reconsync enroll` here. */
  async enrol(sandbox: Sandbox, workerUrl: string, place: { guild: string; channel: string; member: string }, name: string): Promise<void> {
    const { message, failure } = await sandbox.command({ ...place, command: "agent register", options: { name } });
    const code = enrolmentCodeIn(message?.embeds[0]?.description ?? failure?.reason ?? "no answer");
    await this.command("enroll", workerUrl, code);
  }

  start(): void {
    if (this.#child !== null) throw new Error("the agent runs already");
    const child = spawn(process.execPath, [BUNDLE, "run", "--config", this.configFile], {
      env: this.#env(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    let rest = "";
    const take = (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (this.log.push(line) > 10_000) this.log.shift();
        this.#options.onLog?.(line);
      }
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Sends a signal and waits for the end. Answers the exit code, or null when the signal ended it. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    if (child === null) return null;
    this.#child = null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    child.kill(signal);
    const [code] = (await once(child, "exit")) as [number | null];
    return code;
  }

  /** Waits for the agent to end by itself. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child === null) return null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const [code] = (await once(child, "exit")) as [number | null];
    return code;
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.#options.env };
  }
}
