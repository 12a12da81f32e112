import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { Guild, SandboxMessage, SandboxOptions } from "../../sandbox/index.ts";
import { buildAgent } from "../../scripts/build.ts";
import { copyBucket } from "../../scripts/demo/read-r2.ts";
import { AgentProcess } from "../../scripts/embedded/agent-process.ts";
import type { Stack, StackOptions } from "../../scripts/embedded/stack.ts";
import { placeIn, startStack } from "../../scripts/embedded/stack.ts";

/** Everything together for one test: sandbox Discord, the real Worker, real agents, and folders that go away with the test. */
export class Scene {
  readonly folder: string;
  readonly stack: Stack;
  /** Guilds in which one person may do what a test asks of it. */
  readonly #patient = new Set<string>();

  private constructor(folder: string, stack: Stack) {
    this.folder = folder;
    this.stack = stack;
  }

  static async open(sandbox: SandboxOptions = {}, stackOptions: Pick<StackOptions, "workerEntry"> = {}): Promise<Scene> {
    const folder = await mkdtemp(join(tmpdir(), "reconsync-e2e-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
    await buildAgent();
    const stack = await startStack({ folder: join(folder, "stack"), sandbox: { rateLimits: "wide", ...sandbox }, ...stackOptions });
    onTestFinished(() => stack.close());
    return new Scene(folder, stack);
  }

  get sandbox() {
    return this.stack.sandbox;
  }

  guild(index = 0): Guild {
    const guild = this.sandbox.guilds[index];
    if (guild === undefined) throw new Error(`the sandbox has no guild ${index}`);
    return guild;
  }

  /** A folder of files by path. */
  async tree(name: string, files: Record<string, string | Buffer>): Promise<string> {
    const root = join(this.folder, name);
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
    return root;
  }

  /** A folder with incompressible files, so that its archive is about as large. */
  bigTree(name: string, megabytes: number): Promise<string> {
    const files = Array.from({ length: megabytes }, (_, index) => [`region/r.${index}.bin`, randomBytes(1_000_000)] as const);
    return this.tree(name, Object.fromEntries(files));
  }

  /** An enrolled agent with these servers, not started yet. */
  async agent(
    guild: Guild,
    name: string,
    servers: { id: string; name?: string; folder: string; store?: object; backup?: object; control?: object; ports?: object }[],
    workerUrl = this.stack.workerUrl,
  ): Promise<AgentProcess> {
    const config = {
      servers: servers.map(({ id, name: label = id, folder, store = { type: "r2" }, backup = {}, ...others }) => ({
        id,
        name: label,
        game: "minecraft-java",
        folder,
        query: false,
        ...others,
        backup: { format: "zip", profile_globs: false, include: ["**"], store, ...backup },
      })),
    };
    const agent = await AgentProcess.prepare({ folder: join(this.folder, `agent-${name}`), config });
    onTestFinished(async () => {
      await agent.stop("SIGKILL");
    });
    await this.liftLimits(guild);
    await agent.enrol(this.sandbox, workerUrl, placeIn(guild, "owner"), name);
    return agent;
  }

  /** A test asks for more in a minute than a member may. */
  async liftLimits(guild: Guild): Promise<void> {
    if (this.#patient.has(guild.id)) return;
    this.#patient.add(guild.id);
    await this.command(guild, "config set", { acting: "50/1", looking: "50/1", danger: "50/1" });
  }

  /** Starts an agent and waits until the guild knows its servers. */
  async start(agent: AgentProcess, guild: Guild, server: string): Promise<void> {
    agent.start();
    await eventually(
      async () => (await this.choices(guild)).includes(server),
      `the guild to know ${server}\n${agent.log.slice(-10).join("\n")}`,
    );
  }

  async choices(guild: Guild, typed = ""): Promise<string[]> {
    const input = { ...placeIn(guild, "owner"), command: "backup now", focused: "server", options: { server: typed } };
    return (await this.sandbox.autocomplete(input)).map((choice) => String(choice.value));
  }

  async command(guild: Guild, command: string, options: Record<string, string | number> = {}, member = "owner"): Promise<SandboxMessage> {
    const { message, failure } = await this.sandbox.command({ ...placeIn(guild, member), command, options });
    if (message === undefined || failure !== undefined) throw new Error(`/${command} failed: ${failure?.reason ?? "no message"}`);
    return message;
  }

  /** Waits for the message (or the one that took over) to reach a title. */
  titled(pattern: RegExp, timeoutMs = 90_000): Promise<SandboxMessage> {
    return this.sandbox.waitForMessage((message) => pattern.test(message.embeds[0]?.title ?? ""), timeoutMs);
  }

  /** Bytes of all that was put into R2 so far, while the Worker runs. */
  async bytesInR2(): Promise<number> {
    const folder = join(this.folder, "stack", "worker", "v3", "r2");
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const blobs = entries.filter((entry) => entry.isFile() && basename(entry.parentPath) === "blobs");
    const sizes = blobs.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  }

  /** Objects in R2. Stops the Worker, so it comes last. */
  async bucket(): Promise<{ keys: string[]; folder: string }> {
    await this.stack.stopWorker();
    const folder = join(this.folder, "bucket");
    const keys = await copyBucket(join(this.folder, "stack", "worker"), folder);
    // Beside what guilds keep there, R2 knows which guilds there are.
    return { keys: keys.filter((key) => key.startsWith("guilds/")), folder };
  }
}

export function textOf(message: SandboxMessage): string {
  return JSON.stringify(message.embeds);
}

/** Waits for something that becomes true soon. */
export async function eventually(check: () => boolean | Promise<boolean>, what: string, timeoutMs = 30_000): Promise<void> {
  const until = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > until) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await pause(100);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** `RECONSYNC_LONG=1` runs the large counts. */
export const LONG = process.env.RECONSYNC_LONG === "1";
