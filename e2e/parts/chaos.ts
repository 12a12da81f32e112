import type { Fault } from "../../sandbox/faults.ts";
import type { AgentProcess } from "../../scripts/embedded/agent-process.ts";
import type { CuttingProxy } from "./cutting-proxy.ts";
import type { Scene } from "./scene.ts";
import { pause } from "./scene.ts";

/** Between two strokes, in milliseconds. */
const STROKE_EVERY_MS = [150, 800] as const;
/** For how long a killed agent or a stopped Worker is away, in milliseconds. */
const AWAY_MS = [0, 2000] as const;

/** Each kind of stroke as often as it comes in a deck that is shuffled anew when it is used up. */
const DECK = ["kill", "kill", "kill", "kill", "throw-away", "throw-away", "cut", "cut", "cut", "discord", "discord", "restart"] as const;
type Stroke = (typeof DECK)[number];

const DISCORD_FAULTS: readonly Fault[][] = [
  [],
  [{ rate: 0.3, effect: { kind: "status", status: 500 } }],
  [{ rate: 0.2, effect: { kind: "status", status: 503, applied: true } }],
  [{ rate: 0.2, effect: { kind: "rate-limit", retryAfterSeconds: 1 } }],
  [{ rate: 0.05, effect: { kind: "rate-limit", retryAfterSeconds: 2, scope: "global" } }],
  [{ rate: 0.2, effect: { kind: "drop", applied: true } }],
];

/** Breaks one thing after another, by a seed: agents, the object, the Worker, connections, Discord. */
export class Chaos {
  readonly #parts: { scene: Scene; guild: string; agents: AgentProcess[]; proxy: CuttingProxy; random: () => number };
  /** What was broken how often. */
  readonly counts: Record<string, number> = {};
  #stopping = false;
  #deck: Stroke[] = [];

  constructor(parts: { scene: Scene; guild: string; agents: AgentProcess[]; proxy: CuttingProxy; random: () => number }) {
    this.#parts = parts;
  }

  /** Goes on until `stop`; everything runs again when it resolves. */
  async run(): Promise<void> {
    const { scene, agents } = this.#parts;
    while (!this.#stopping) {
      await pause(this.#between(STROKE_EVERY_MS));
      await this.#stroke();
    }
    scene.sandbox.faults.clear();
    for (const agent of agents) if (!agent.running) await restart(agent);
  }

  stop(): void {
    this.#stopping = true;
  }

  async #stroke(): Promise<void> {
    const { scene, guild, agents, proxy, random } = this.#parts;
    switch (this.#next()) {
      case "kill": {
        this.#count("agents killed");
        const agent = agents[Math.floor(random() * agents.length)];
        await agent?.stop("SIGKILL");
        await pause(this.#between(AWAY_MS));
        agent?.start();
        return;
      }
      case "throw-away":
        this.#count("objects thrown away");
        await fetch(`${scene.stack.workerUrl}/__test/throw-away?guild=${guild}`);
        return;
      case "restart":
        this.#count("Worker restarts");
        await scene.stack.stopWorker();
        await pause(this.#between(AWAY_MS));
        await scene.stack.startWorker();
        return;
      case "cut":
        this.#count("connections cut", proxy.cut(0.7, random));
        return;
      case "discord":
        this.#count("changes of Discord's faults");
        scene.sandbox.faults.set(DISCORD_FAULTS[Math.floor(random() * DISCORD_FAULTS.length)] ?? []);
    }
  }

  #next(): Stroke {
    if (this.#deck.length === 0)
      this.#deck = DECK.map((stroke) => ({ stroke, at: this.#parts.random() }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ stroke }) => stroke);
    return this.#deck.pop() ?? "cut";
  }

  #count(what: string, times = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + times;
  }

  #between([least, most]: readonly [number, number]): number {
    return least + this.#parts.random() * (most - least);
  }
}

async function restart(agent: AgentProcess): Promise<void> {
  await agent.stop("SIGKILL");
  agent.start();
}
