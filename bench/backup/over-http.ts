import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Guild } from "../../sandbox/index.ts";
import { AgentProcess } from "../../scripts/embedded/agent-process.ts";
import { placeIn, type Stack, startStack } from "../../scripts/embedded/stack.ts";

/** The guild hears of a host's servers with its first poll, in milliseconds at most. */
const ANNOUNCED_MS = 30_000;

/** Repositories of the local Worker, each with a credential that may write: what the programs' own REST clients speak to. */
export interface Repositories {
  /** Address of the n-th, credential included. Each is new. */
  addresses: string[];
  close(): Promise<void>;
}

/** Starts sandbox and Worker, enrols a host that has so many servers, and asks for a credential of each by the real command. */
export async function repositoriesOfWorker(folder: string, count: number): Promise<Repositories> {
  const stack = await startStack({ folder: join(folder, "stack") });
  const guild = stack.sandbox.guilds[0];
  if (guild === undefined) throw new Error("the sandbox has no guild");
  const ids = Array.from({ length: count }, (_, number) => `world-${number}`);
  const servers = ids.map((id) => ({
    id,
    game: "minecraft-java",
    folder: join(folder, id),
    query: false,
    backup: { store: { type: "r2" } },
  }));
  const agent = await AgentProcess.prepare({ folder: join(folder, "agent"), config: { servers } });
  await agent.enrol(stack.sandbox, stack.workerUrl, placeIn(guild, "owner"), "Bench");
  agent.start();
  await announced(stack, guild, ids);
  await agent.stop();
  await stack.sandbox.command({
    ...placeIn(guild, "owner"),
    command: "config set",
    options: { acting: "50/1", looking: "50/1", danger: "50/1" },
  });
  const addresses: string[] = [];
  for (const id of ids) addresses.push(await credentialOf(stack, guild, id));
  return { addresses, close: () => stack.close() };
}

async function announced(stack: Stack, guild: Guild, ids: readonly string[]): Promise<void> {
  const until = Date.now() + ANNOUNCED_MS;
  for (;;) {
    const input = { ...placeIn(guild, "owner"), command: "backup now", focused: "server", options: { server: "" } };
    const choices = (await stack.sandbox.autocomplete(input)).map(({ value }) => String(value));
    if (ids.every((id) => choices.includes(id))) return;
    if (Date.now() > until) throw new Error(`the guild does not know ${ids.join(", ")}: ${choices.join(", ")}`);
    await delay(100);
  }
}

async function credentialOf(stack: Stack, guild: Guild, server: string): Promise<string> {
  const options = { server, write: true, days: 1 };
  const { message, failure } = await stack.sandbox.command({ ...placeIn(guild, "owner"), command: "backup credentials", options });
  const text = message?.embeds[0]?.description ?? failure?.reason ?? "";
  const address = /export RESTIC_REPOSITORY='([^']+)'/.exec(text)?.[1];
  if (address === undefined) throw new Error(`no credential for ${server}: ${text}`);
  return address;
}
