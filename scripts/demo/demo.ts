import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Guild, SandboxMessage } from "../../sandbox/index.ts";
import { AgentProcess } from "../embedded/agent-process.ts";
import type { Stack } from "../embedded/stack.ts";
import { placeIn, startStack } from "../embedded/stack.ts";
import { ROOT } from "../embedded/worker.ts";
import { makeDemoWorld } from "./demo-world.ts";

export interface DemoOptions {
  /** Folder that everything is kept in. */
  folder: string;
  /** A folder of the user instead of the demo world. */
  world?: string;
  ports: { sandbox: number; worker: number };
}

export const SERVER_ID = "demo";
const HOST_NAME = "Demo host";
/** Bound of the agent's first word to the guild, in milliseconds. */
const ANNOUNCED_MS = 10_000;
/** Bound of the demo game server's start or stop, in milliseconds. */
const GAME_TIMEOUT_MS = 20_000;
const run = promisify(execFile);

/** Everything of the demo, running: sandbox Discord, Worker, agent, game server. */
export interface Demo {
  stack: Stack;
  agent: AgentProcess;
  guild: Guild;
  world: string;
  place: { guild: string; channel: string; member: string };
  /** Runs a command as the guild's owner and answers the message that it made. */
  command(command: string, options?: Record<string, string>): Promise<SandboxMessage>;
  close(): Promise<void>;
}

export async function startDemo(options: DemoOptions, say: (line: string) => void): Promise<Demo> {
  await mkdir(options.folder, { recursive: true });
  const world = options.world ?? join(options.folder, "server");
  if (options.world === undefined && !existsSync(world)) {
    say("Making a demo world of some 50 MB …");
    const unfinished = `${world}.making`;
    await rm(unfinished, { recursive: true, force: true });
    await makeDemoWorld(unfinished);
    const { rename } = await import("node:fs/promises");
    await rename(unfinished, world);
  }
  const game = await startGame(options.folder);
  try {
    return await connect(options, world, game);
  } catch (error) {
    // Whoever started us waits for all that holds our output.
    await game.stop();
    throw error;
  }
}

async function connect(options: DemoOptions, world: string, game: Game): Promise<Demo> {
  const stack = await startStack({ folder: options.folder, ports: options.ports, keep: true });
  const [guild] = stack.sandbox.guilds;
  if (guild === undefined) throw new Error("the sandbox has no guild");
  const place = placeIn(guild, "owner");
  const agent = await AgentProcess.prepare({ folder: join(options.folder, "agent"), config: configFor(world, game, options.folder) });
  if (!existsSync(agent.stateFile)) await agent.enrol(stack.sandbox, stack.workerUrl, place, HOST_NAME);
  agent.start();
  const command = async (name: string, values: Record<string, string> = {}) => {
    const { message, failure } = await stack.sandbox.command({ ...place, command: name, options: values });
    if (message === undefined || failure !== undefined) throw new Error(`/${name} failed: ${failure?.reason ?? "no message"}`);
    return message;
  };
  await announced(stack, place, agent);
  return {
    stack,
    agent,
    guild,
    world,
    place,
    command,
    close: async () => {
      await agent.stop();
      await game.stop();
      await stack.close();
    },
  };
}

function configFor(world: string, game: Game, folder: string): Record<string, unknown> {
  return {
    log: { level: "info", format: "human" },
    servers: [
      {
        id: SERVER_ID,
        name: "Demo server",
        game: "minecraft-java",
        folder: world,
        ports: { game: game.port },
        process: { pid_file: join(folder, "game.pid") },
        control: game.control,
        restore: { folder: join(folder, "restored") },
        // The demo shows that a folder comes back whole, so nothing of it is left out.
        backup: { profile_globs: false, include: ["**"], store: { type: "r2" }, retention: { keep_last: 5 } },
      },
    ],
  };
}

interface Game {
  port: number;
  /** What stops and starts it, as config.yaml says it. */
  control: Record<string, unknown>;
  stop: () => Promise<void>;
}

async function startGame(folder: string): Promise<Game> {
  const [pidFile, portFile] = [join(folder, "game.pid"), join(folder, "game.port")];
  const words = (act: string) => [process.execPath, join(ROOT, "scripts/demo/game-control.ts"), act, pidFile, portFile];
  const call = async (act: string) => {
    const [program = "", ...args] = words(act);
    await run(program, args, { timeout: GAME_TIMEOUT_MS });
  };
  // One of a demo that was killed.
  await call("stop");
  await rm(portFile, { force: true });
  await call("start");
  const control = { type: "commands", start: words("start"), stop: words("stop"), status: words("status"), settle: "2s" };
  return { port: Number(await readFile(portFile, "utf8")), control, stop: () => call("stop") };
}

/** Waits until the agent has told the guild of its server, so that the first command finds it. */
async function announced(stack: Stack, place: Demo["place"], agent: AgentProcess): Promise<void> {
  const until = Date.now() + ANNOUNCED_MS;
  for (;;) {
    const choices = await stack.sandbox.autocomplete({ ...place, command: "backup now", focused: "server", options: { server: "" } });
    if (choices.some((choice) => choice.value === SERVER_ID)) return;
    if (!agent.running || Date.now() > until) throw new Error(`the agent did not come up:\n${agent.log.slice(-20).join("\n")}`);
    await delay(100);
  }
}
