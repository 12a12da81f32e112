import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { type BackupRef, type Progress, randomText } from "../../../schemas/index.ts";
import type { BackupRequest } from "../../backup/engine.ts";
import { premadeRepository } from "../../backup/repository/testing/premade.ts";
import { type TreeFacts, treeFacts } from "../../backup/repository/testing/tree-facts.ts";
import { makeTree, put } from "../../backup/testing/tree.ts";
import { systemClock } from "../../clock.ts";
import type { ServerConfig } from "../../config/host-config.ts";
import { LiveConfig } from "../../config/live-config.ts";
import type { ServerControl } from "../../control/control.ts";
import { WorkerClient } from "../../control-plane/worker-client.ts";
import { createHost } from "../../host.ts";
import { type AgentState, openState } from "../../state/state.ts";
import { hostConfig, type LogLine, memoryLogger, serverConfig, temporaryFolder } from "../../testing/fixtures.ts";
import { backupRefOf } from "../backup-ref.ts";
import { type RestoreParts, ServerRestores } from "../server-restores.ts";
import type { Verdict } from "../trial.ts";

const SCRIPT = fileURLToPath(new URL("game-server.mjs", import.meta.url));

/** What the config of the scene's server leaves out of backups. */
export const LEFT_OUT = ["logs/**", "**/*.jar"];

export interface SceneOptions {
  format: "zip" | "repository";
  /** `inside`: the store lies in the server's folder, which therefore stays where it is. */
  placement: "beside" | "inside";
  /** Absent: nobody may control the server, and it does not run. */
  running?: boolean;
  /** Parent of all that the scene makes. */
  folder?: string;
}

/** A host with one game server that is a real process, its backups in a local store, and the tree of `makeTree` as its world. */
export class Scene {
  readonly home: string;
  readonly folder: string;
  readonly store: string;
  readonly stateFile: string;
  readonly server: ServerConfig;
  readonly state: AgentState;
  readonly game: TestGame;
  readonly lines: LogLine[];
  readonly #controlled: boolean;
  readonly #log;

  private constructor(home: string, { format, placement, running }: SceneOptions, port: number) {
    this.home = home;
    this.folder = join(home, "srv");
    this.store = placement === "inside" ? join(this.folder, "backups") : join(home, "backups");
    this.stateFile = join(home, "state/state.db");
    const base = serverConfig("island", this.folder);
    const store = { type: "local", folder: this.store } as const;
    this.server = { ...base, ports: { game: port }, backup: { ...base.backup, format, exclude: LEFT_OUT, store } };
    this.state = openState(this.stateFile, systemClock);
    onTestFinished(() => this.state.close());
    this.game = new TestGame(this.folder, port);
    this.#controlled = running === true;
    const { log, lines } = memoryLogger();
    this.#log = log;
    this.lines = lines;
  }

  static async make(options: SceneOptions): Promise<Scene> {
    const home = options.folder ?? (await temporaryFolder());
    mkdirSync(join(home, "state"), { recursive: true });
    const scene = new Scene(home, options, await freePort());
    await makeTree(scene.folder);
    await put(scene.folder, "logs/latest.log", "started\n");
    await put(scene.folder, "world/extra/plugin.jar", "jar");
    if (options.format === "repository") await premadeRepository(scene.stateFile, scene.store, scene.server.id);
    if (options.running === true) await scene.game.start();
    return scene;
  }

  restores(given: Partial<RestoreParts> = {}): ServerRestores {
    const { server, state } = this;
    const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
    const log = this.#log;
    const host = createHost({ config: new LiveConfig(hostConfig(this.stateFile, [server])), state, plane, clock: systemClock, log });
    return new ServerRestores({
      ...{ server, state, clock: systemClock, log, observe: () => host.observe(server) },
      catalogue: { stateFile: this.stateFile, access: plane, plane, clock: systemClock, log, env: {} },
      control: this.#controlled ? this.game.control : undefined,
      probe: (signal) => this.game.probe(signal),
      backUp: (request) => host.engineOf(server).backup({ ...request, server, clock: systemClock, log }),
      ...given,
    });
  }

  async backUp(given: Pick<BackupRequest, "note"> = {}): Promise<BackupRef> {
    const { server } = this;
    const plane = new WorkerClient({ identity: this.state.identity, clock: systemClock });
    const config = new LiveConfig(hostConfig(this.stateFile, [server]));
    const host = createHost({ config, state: this.state, plane, clock: systemClock, log: this.#log });
    const signal = new AbortController().signal;
    const made = await host
      .engineOf(server)
      .backup({ ...given, server, report: () => undefined, signal, clock: systemClock, log: this.#log });
    // As whoever runs a backup does: one of which nobody was told would be removed by the next.
    this.state.uploads.told(made);
    return backupRefOf(made);
  }

  /** Everything that backups hold, as it is now. */
  facts(): TreeFacts {
    return wanted(treeFacts(this.folder));
  }

  /** Everything in the server's folder but the store and its locks. */
  allFacts(): TreeFacts {
    return new Map([...treeFacts(this.folder)].filter(([path]) => !/^\/backups(?:\/|$)/.test(path)));
  }

  /** The world moves on: files change, come and go. */
  async play(word = "played"): Promise<void> {
    await put(this.folder, "world/level.dat", `${word} ${randomText(8)}`);
    await rm(join(this.folder, "world/region/r.-1.0.mca"));
    await rm(join(this.folder, "names"), { recursive: true });
    await put(this.folder, "world/region/r.5.5.mca", word.repeat(1000));
    await mkdir(join(this.folder, "world/new folder/inner"), { recursive: true });
    await writeFile(join(this.folder, "logs/latest.log"), `${word}\n`);
    await put(this.folder, "world/new folder/new.jar", "a plugin that came later");
  }
}

/** Without what is left out of backups, and without what is in the way of comparing: times of folders. */
export function wanted(facts: TreeFacts): TreeFacts {
  return new Map(
    [...facts]
      .filter(([path]) => !/^\/(?:logs|backups)(?:\/|$)|\.jar$|^\/world\/(?:extra|new folder)$/.test(path))
      .map(([path, one]) => [path, one.rest.startsWith("folder") ? { ...one, mtimeNs: 0n } : one]),
  );
}

/** A game server as a process, with the control that a restore needs. */
export class TestGame {
  readonly #folder: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  starts = 0;
  stops = 0;
  /** The next stops fail. */
  unstoppable = false;

  constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    onTestFinished(() => void this.#child?.kill("SIGKILL"));
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get exitCode(): number | null {
    return this.#child?.exitCode ?? null;
  }

  async start(): Promise<void> {
    this.starts += 1;
    const child = spawn(process.execPath, [SCRIPT, this.#folder, String(this.#port)], { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  }

  readonly control: ServerControl = {
    way: "a process of the test",
    state: async () => (this.running ? "running" : "stopped"),
    stop: async () => {
      if (this.unstoppable) throw new Error("it does not listen");
      this.stops += 1;
      const child = this.#child;
      if (child === undefined || !this.running) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
    start: async () => {
      if (!this.running) await this.start();
    },
  };

  async probe(_signal: AbortSignal): Promise<Verdict> {
    return this.running ? { up: true, evidence: "its port is open" } : { up: false, evidence: `it ended with code ${this.exitCode}` };
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("a server without a port");
  return address.port;
}

/** A run whose phases are noted; it is aborted when `until` comes. */
export function watched(until?: Progress["phase"]) {
  const phases: Progress["phase"][] = [];
  const controller = new AbortController();
  const report = ({ phase }: Progress) => {
    if (phases.at(-1) !== phase) phases.push(phase);
    if (phase === until) controller.abort(new Error("cancelled by the test"));
  };
  return { phases, report, signal: controller.signal };
}
