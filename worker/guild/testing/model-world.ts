import type { Job, Outcome } from "../../../schemas/index.ts";
import { backupResultOf, serverNamed } from "../../testing/test-agent.ts";
import { ModelAgent } from "./model-agent.ts";
import { Bench } from "./model-bench.ts";
import { ModelDiscord } from "./model-discord.ts";
import { Violation } from "./model-oracle.ts";
import { pick } from "./model-random.ts";
import { KINDS } from "./model-spec.ts";

/** So far ahead of the real clock that no step back reaches it: alarms of the object never come by themselves. In milliseconds. */
const AHEAD_MS = 400 * 24 * 60 * 60_000;
/** Servers of each host: so few that jobs meet. */
const SERVERS = [3, 2, 1] as const;
/** Earlier requests that may arrive once more. */
const REPLAYED_MAX = 40;

/** Everything there is in a walk: one guild, its hosts, Discord, the line between them, and what has happened. */
export class World {
  readonly discord = new ModelDiscord();
  readonly agents: ModelAgent[] = [];
  readonly replays: (() => Promise<string>)[] = [];
  readonly story: string[] = [];
  readonly bench: Bench;
  keys = 0;
  readonly #names = new Map<string, string>();
  #archives = 0;

  constructor(guild: string) {
    this.bench = new Bench(guild, Date.now() + AHEAD_MS);
  }

  /** Adds the hosts and their servers. */
  enrol(): void {
    for (const [index, count] of SERVERS.entries()) {
      const servers = Array.from({ length: count }, (_, number) => serverNamed(`s${index}-${number}`, { store: "local" }));
      const host = this.bench.addHost(`Host ${index}`, servers);
      this.#names.set(host, `host ${index}`);
      this.agents.push(new ModelAgent(host, servers, (job) => this.#checkAlone(job)));
    }
  }

  agent(a: number): ModelAgent {
    const agent = pick(this.agents, a);
    if (agent === undefined) throw new Error("there is no agent");
    return agent;
  }

  server(a: number, b: number): string {
    return pick(this.agent(a).servers, b)?.id ?? "";
  }

  hostOf(server: string): string {
    return this.agents.find(({ servers }) => servers.some(({ id }) => id === server))?.host ?? "";
  }

  /** Keeps a request, so that it may arrive once more. */
  remember(again: () => Promise<string>): void {
    this.replays.push(again);
    if (this.replays.length > REPLAYED_MAX) this.replays.shift();
  }

  /** What a job that worked comes to. */
  successOf({ kind, payload }: Job): Outcome {
    if (kind !== "backup") return { state: "succeeded", kind: "status", result: { servers: [] } };
    this.#archives += 1;
    const archive = `${payload.server}-20261122T${String(this.#archives).padStart(6, "0")}Z.zip`;
    const result = backupResultOf(payload.server, { archive, startedAt: this.bench.now, durationMs: 1 });
    return { state: "succeeded", kind: "backup", result };
  }

  /** Ids are random; a story that comes out the same each time has numbers in their place. */
  name(id: string): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const name = `job ${this.#names.size}`;
    this.#names.set(id, name);
    return name;
  }

  listed(ids: readonly string[]): string {
    return ids.length === 0 ? "nothing" : ids.map((id) => this.name(id)).join(", ");
  }

  /** What an error says, with names in place of ids. */
  named(error: unknown): string {
    const text = error instanceof Violation ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
    return text.replace(/(?:job|host)_[0-9a-z]{16}/g, (id) => this.name(id));
  }

  /** A job that begins is the only one at work under its id, and the only one at work on its server. */
  #checkAlone(job: Job): void {
    const server = (one: Job) => ("server" in one.payload && KINDS[one.kind].writes ? one.payload.server : null);
    const others = this.agents.flatMap((agent) => [...agent.active.values()].map((active) => active.job));
    const rival = others.find((other) => other.id === job.id || (server(job) !== null && server(other) === server(job)));
    if (rival !== undefined) throw new Violation(`agents work on ${server(job)} for ${job.id} and for ${rival.id} at the same time`);
  }
}
