import type { PollRequest } from "../../../schemas/index.ts";
import type { Active, Ending, ModelAgent } from "./model-agent.ts";
import { ModelSocket } from "./model-bench.ts";
import { pick } from "./model-random.ts";
import { fateOf } from "./model-steps.ts";
import type { World } from "./model-world.ts";

/** What agents do in a walk. Each answers what happened, in words. */

/** More often than a job may be handed back. */
const BOUNCES = 12;

export async function poll(world: World, agent: ModelAgent, wait: number, c: number): Promise<string> {
  if (world.bench.held.has(agent.host)) return `${world.name(agent.host)} polls already`;
  const fate = fateOf(c);
  const request = agent.poll(wait);
  if (fate === "lost") return `${world.name(agent.host)}, lost`;
  const socket = new ModelSocket(agent.host, request, world.bench.now);
  world.remember(() => pollAgain(world, agent.host, request));
  const answer = await world.bench.poll(socket);
  if (fate === "twice") await world.bench.poll(new ModelSocket(agent.host, request, world.bench.now));
  if (answer === null) {
    if (fate !== "answer lost") world.bench.held.set(agent.host, socket);
    return `${world.name(agent.host)} is held`;
  }
  if (fate !== "answer lost") agent.take(answer);
  return `${world.name(agent.host)} ${fate}: ${world.listed(answer.jobs.map(({ id }) => id))}, stop ${world.listed(answer.cancel)}`;
}

async function pollAgain(world: World, host: string, request: PollRequest): Promise<string> {
  await world.bench.poll(new ModelSocket(host, { ...request, wait: 0 }, world.bench.now));
  return `a poll of ${world.name(host)}`;
}

/** The Worker claims for a held poll that was woken. */
export async function claim(world: World, socket: ModelSocket, b: number): Promise<void> {
  world.bench.held.delete(socket.host);
  const answer = await world.bench.claim(socket);
  const lost = b < 0.15;
  world.story.push(`  ${world.name(socket.host)} was woken: ${world.listed(answer.jobs.map(({ id }) => id))}${lost ? ", lost" : ""}`);
  if (!lost) world.agents.find(({ host }) => host === socket.host)?.take(answer);
}

export function hangUp(world: World, agent: ModelAgent): string {
  return world.bench.held.delete(agent.host) ? `${world.name(agent.host)}` : "nobody";
}

function atWork(world: World): { agent: ModelAgent; active: Active }[] {
  return world.agents.flatMap((agent) => [...agent.active.values()].map((active) => ({ agent, active })));
}

export function begin(world: World, a: number): string {
  const waiting = atWork(world).filter(({ active }) => !active.begun);
  const chosen = pick(waiting, a);
  if (chosen === undefined) return "nothing";
  chosen.agent.begin(chosen.active.job.id);
  return world.name(chosen.active.job.id);
}

export async function progress(world: World, a: number, b: number): Promise<string> {
  const chosen = pick(atWork(world), a);
  const fate = fateOf(b);
  if (chosen === undefined || fate === "lost") return "lost";
  const { agent, active } = chosen;
  const { id, lease } = active.job;
  world.remember(async () => {
    await world.bench.progress(agent.host, id, lease);
    return `progress of ${world.name(id)}`;
  });
  const answer = await world.bench.progress(agent.host, id, lease);
  if (fate === "twice") await world.bench.progress(agent.host, id, lease);
  if (fate !== "answer lost" && answer === false) agent.stop(id, "stale");
  else if (fate !== "answer lost" && answer !== false && answer.cancel) agent.stop(id, "cancelled");
  return `${world.name(id)} ${fate}: ${answer === false ? "stale" : answer.cancel ? "is to stop" : "goes on"}`;
}

export function finish(world: World, a: number, b: number, c: number): string {
  const chosen = pick(atWork(world), a);
  if (chosen === undefined) return "nothing";
  const { agent, active } = chosen;
  const { id } = active.job;
  agent.begin(id);
  const ending: Ending = b < 0.75 ? { state: "succeeded", outcome: world.successOf(active.job) } : { state: "failed" };
  agent.finish(id, ending, c < 0.6, world.bench.now);
  return `${world.name(id)}: ${agent.outbox.get(id)?.outcome.state ?? "nobody wants to know"}`;
}

export async function deliver(world: World, a: number, b: number): Promise<string> {
  const outboxes = world.agents.flatMap((agent) => [...agent.outbox].map(([id, message]) => ({ agent, id, ...message })));
  const waiting = pick(outboxes, a);
  const fate = fateOf(b);
  if (waiting === undefined || fate === "lost") return "lost";
  const { agent, id, lease, outcome } = waiting;
  world.remember(async () => {
    const answer = await world.bench.result(agent.host, id, lease, outcome);
    return `the result of ${world.name(id)}: ${answer === false ? "stale" : answer.taken}`;
  });
  const answer = await world.bench.result(agent.host, id, lease, outcome);
  if (fate === "twice") await world.bench.result(agent.host, id, lease, outcome);
  if (fate !== "answer lost" && agent.outbox.get(id)?.lease === lease) agent.outbox.delete(id);
  return `${world.name(id)} ${outcome.state} ${fate}: ${answer === false ? "stale" : answer.taken ? "taken" : "known"}`;
}

export async function bounce(world: World, agent: ModelAgent): Promise<string> {
  world.bench.held.delete(agent.host);
  for (let round = 0; round < BOUNCES; round += 1) {
    const answer = await world.bench.poll(new ModelSocket(agent.host, agent.poll(0), world.bench.now));
    if (answer !== null) agent.take(answer);
    agent.shutDown();
    for (const [id, { lease, outcome }] of [...agent.outbox]) {
      await world.bench.result(agent.host, id, lease, outcome);
      agent.outbox.delete(id);
    }
  }
  return `${world.name(agent.host)} hands all back, ${BOUNCES} times`;
}

export async function replay(world: World, a: number): Promise<string> {
  return (await pick(world.replays, a)?.()) ?? "nothing";
}
