import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { HoldStep } from "../../../schemas/hold.ts";
import type { Progress } from "../../../schemas/index.ts";
import { premadeRepository } from "../../backup/repository/testing/premade.ts";
import { systemClock } from "../../clock.ts";
import type { HoldConfig, ServerConfig } from "../../config/host-config.ts";
import { LiveConfig } from "../../config/live-config.ts";
import { Secret } from "../../config/secret.ts";
import { openConsole } from "../../console/client.ts";
import { RconServer, type RconServerOptions } from "../../console/testing/rcon-server.ts";
import { createHost } from "../../host.ts";
import type { BackupContext } from "../../jobs/backup.ts";
import type { Host } from "../../jobs/host.ts";
import { type AgentState, openState } from "../../state/state.ts";
import { hostConfig, memoryLogger, serverConfig, temporaryFolder } from "../../testing/fixtures.ts";

export const PASSWORD = "rcon of the test";

/** As the profile of Minecraft has them. */
export const MINECRAFT: Pick<HoldConfig, "before" | "after"> = {
  before: [
    { command: "save-off", expect: ["Automatic saving is now disabled", "Saving is already turned off"] },
    { command: "save-all flush", expect: "Saved the game", timeout_seconds: 60 },
  ],
  after: [{ command: "save-on", expect: ["Automatic saving is now enabled", "Saving is already turned on"] }],
};

export interface Scene {
  folder: string;
  /** The server's folder. */
  world: string;
  server: ServerConfig;
  state: AgentState;
  host: Host;
  log: ReturnType<typeof memoryLogger>;
  context: BackupContext;
  reports: Progress[];
}

/** A server in the config of a host with real state, engines and locks, with a console at `port`. */
export async function scene({
  port,
  hold = {},
  format = "zip",
}: {
  port: number;
  hold?: Partial<HoldConfig>;
  format?: "zip" | "repository";
}): Promise<Scene> {
  const folder = await temporaryFolder();
  const world = join(folder, "server");
  mkdirSync(world);
  mkdirSync(join(folder, "state"));
  const server = serverConfig("island", world);
  server.console = { dialect: "source-rcon-minecraft", address: "127.0.0.1", port, password: new Secret(PASSWORD) };
  Object.assign(server.backup, {
    format,
    store: { type: "local", folder: join(folder, "backups") },
    hold: { ...MINECRAFT, required: false, maxMs: 60_000, ...hold },
  });
  const stateFile = join(folder, "state", "state.db");
  if (format === "repository") await premadeRepository(stateFile, join(folder, "backups"), server.id);
  const state = openState(stateFile, systemClock);
  onTestFinished(() => state.close());
  const log = memoryLogger();
  const plane = {
    origin: "https://none.invalid",
    authorization: () => Promise.reject(new Error("not in this test")),
    send: () => Promise.reject(new Error("not in this test")),
  };
  const config = new LiveConfig(hostConfig(state.file, [server]));
  const host = createHost({ config, state, plane: plane as never, env: {}, clock: systemClock, log: log.log });
  const reports: Progress[] = [];
  const context: BackupContext = {
    host,
    report: (progress) => reports.push(progress),
    signal: new AbortController().signal,
    interrupted: false,
    clock: systemClock,
    log: log.log,
  };
  return { folder, world, server, state, host, log, context, reports };
}

/** A console of ours in this process. */
export async function consoleServer(run: RconServerOptions["run"]): Promise<RconServer> {
  const server = await RconServer.start({ password: PASSWORD, kind: "minecraft", run });
  onTestFinished(() => server.stop());
  return server;
}

/** Answers as Minecraft does. */
export function minecraft(command: string): string {
  if (command === "save-off") return "Automatic saving is now disabled";
  if (command === "save-on") return "Automatic saving is now enabled";
  return command === "save-all flush" ? "Saved the game" : "";
}

/** The game of game.ts, as a process of its own. */
export class Game {
  readonly port: number;
  /** Every command that it was sent. */
  readonly commands: string[];
  readonly #child: ChildProcess;
  #onCommand: (command: string) => void = () => undefined;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    this.commands = [];
  }

  static async start(world: string, ...more: "players"[]): Promise<Game> {
    const script = fileURLToPath(new URL("./game.ts", import.meta.url));
    const child = spawn(process.execPath, [script, world, PASSWORD, ...more], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const [first] = (await once(lines, "line")) as [string];
    const game = new Game(child, Number(first.replace("port ", "")));
    lines.on("line", (line) => {
      game.commands.push(line);
      game.#onCommand(line);
    });
    onTestFinished(() => game.stop());
    return game;
  }

  /** Calls back as soon as a command has come. */
  onCommand(call: (command: string) => void): void {
    this.#onCommand = call;
  }

  /** Whether it saves: `on` or `off`. */
  async state(): Promise<string> {
    const console = openConsole(
      { dialect: "source-rcon-minecraft", address: "127.0.0.1", port: this.port, password: new Secret(PASSWORD) },
      systemClock,
    );
    try {
      return await console.send("state");
    } finally {
      await console.close();
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }
}

export const step = (given: HoldStep): HoldStep => given;
