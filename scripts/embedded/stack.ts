import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Guild, Sandbox, SandboxOptions } from "../../sandbox/index.ts";
import { startSandbox } from "../../sandbox/index.ts";
import { randomText } from "../../schemas/index.ts";
import type { Changes } from "../register-commands.ts";
import { registerCommands } from "../register-commands.ts";
import type { EmbeddedWorker } from "./worker.ts";
import { startEmbeddedWorker } from "./worker.ts";

export interface StackOptions {
  /** Folder for everything that the parts keep. */
  folder: string;
  /** Ports; 0 for any free one. The Worker keeps its port when it is stopped and started again. */
  ports?: { sandbox?: number; worker?: number };
  /** Keep the sandbox's guilds and messages over a restart. */
  keep?: boolean;
  sandbox?: SandboxOptions;
  /** Another entry of the Worker than the real one, relative to the repository. */
  workerEntry?: string;
}

/** Sandbox Discord and the real Worker, together on this machine. */
export interface Stack {
  sandbox: Sandbox;
  workerUrl: string;
  registered: Changes;
  /** Takes the Worker away, as an outage does. Its data stays. */
  stopWorker(): Promise<void>;
  startWorker(): Promise<void>;
  close(): Promise<void>;
}

export async function startStack(options: StackOptions): Promise<Stack> {
  await mkdir(options.folder, { recursive: true });
  const keepFile = join(options.folder, "discord.json");
  const sandbox = await startSandbox({
    ...options.sandbox,
    port: options.ports?.sandbox ?? 0,
    ...(options.keep === true ? { keepFile } : {}),
  });
  const start = (port: number) =>
    startEmbeddedWorker({
      folder: join(options.folder, "worker"),
      port,
      discord: { apiUrl: sandbox.apiUrl, applicationId: sandbox.applicationId, publicKey: sandbox.publicKey, botToken: sandbox.botToken },
      tokenSecret: secretIn(join(options.folder, "token-secret")),
      ...(options.workerEntry === undefined ? {} : { entry: options.workerEntry }),
    });
  let worker: EmbeddedWorker | null = await start(options.ports?.worker ?? 0);
  const workerUrl = worker.url;
  sandbox.setInteractionsUrl(`${workerUrl}/interactions`);
  const { apiUrl, applicationId, botToken } = sandbox;
  const registered = await registerCommands({ apiUrl, applicationId, botToken });
  const stopWorker = async () => {
    await worker?.stop();
    worker = null;
  };
  return {
    sandbox,
    workerUrl,
    registered,
    stopWorker,
    startWorker: async () => {
      worker ??= await start(Number(new URL(workerUrl).port));
    },
    close: async () => {
      await stopWorker();
      await sandbox.close();
    },
  };
}

/** A member of a guild and where they write. */
export function placeIn(
  guild: Guild,
  member: string,
  channel = guild.channels[0]?.id ?? "",
): { guild: string; channel: string; member: string } {
  return { guild: guild.id, channel, member };
}

/** The secret must outlive a restart, or every token would be refused after it. */
function secretIn(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomText(48), { mode: 0o600 });
  return readFileSync(file, "utf8");
}
