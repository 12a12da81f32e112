import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { randomNumbers } from "../../../schemas/testing/random.ts";
import { guildOf } from "../../env.ts";
import { snowflake } from "../../testing/interactions.ts";
import type { Guild } from "../guild.ts";
import { begin, bounce, claim, deliver, finish, hangUp, poll, progress, replay } from "./model-agents.ts";
import { drain } from "./model-drain.ts";
import { cancel, crowd, enqueue, flood, rival, status } from "./model-members.ts";
import { pick } from "./model-random.ts";
import type { Step } from "./model-steps.ts";
import { World } from "./model-world.ts";

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;
/** How long a held poll waits, in seconds. It ends when the walk says so. */
const HOLD_S = 50;
/** How often something happens while Discord is asked. */
const MEANWHILE = 0.2;
/** Calls between two looks at the alarm, and steps between two at the whole table. */
const ALARM_CHECK_EVERY = 7;
const TABLE_CHECK_EVERY = 1500;

export interface WalkOptions {
  /** No agent is there any more when the steps are over: time alone has to end all jobs. */
  silentEnd: boolean;
}

/** What failed, at which step, and what every step up to there was. */
export class WalkFailure extends Error {
  override readonly name = "WalkFailure";
  readonly at: number;
  readonly story: readonly string[];

  constructor(message: string, at: number, story: readonly string[]) {
    super(message);
    this.at = at;
    this.story = story;
  }
}

/**
 * Walks a fresh guild through the steps, then lets all jobs end.
 * @throws WalkFailure at the first thing that must not happen
 */
export async function walk(steps: readonly Step[], { silentEnd }: WalkOptions): Promise<void> {
  const guild = snowflake();
  const world = new World(guild);
  const random = randomNumbers(1);
  world.discord.random = random;
  world.discord.meanwhile = async () => {
    const drawn = random();
    if (drawn >= MEANWHILE) return;
    world.bench.lookInAlarm();
    world.story.push(`  meanwhile: ${await pick([progress, deliver, cancelOne], drawn / MEANWHILE)?.(world, random(), 0)}`);
  };
  const quiet = world.discord.listen();
  const inObject = <T>(act: () => Promise<T>): Promise<T> =>
    runInDurableObject<Guild, T>(guildOf(env, guild), async (instance, state) => {
      world.bench.bind(instance, state);
      if (world.agents.length === 0) world.enrol();
      return act();
    });
  let at = 0;
  const untilEviction = async () => {
    for (let step = steps[at]; step !== undefined && step.op !== "evict"; at += 1, step = steps[at]) await take(world, step, at);
  };
  try {
    for (; at < steps.length; at += 1) {
      await inObject(untilEviction);
      if (at >= steps.length) break;
      world.story.push(`${at} evict: the object loses its memory`);
      await evictDurableObject(guildOf(env, guild), { webSockets: "hibernate" });
    }
    await inObject(() => drain(world, silentEnd));
  } catch (error) {
    throw new WalkFailure(world.named(error), at, world.story);
  } finally {
    quiet();
  }
}

async function take(world: World, step: Step, index: number): Promise<void> {
  const { bench, story } = world;
  // Written before, so that the story has the step that fails.
  story.push(`${index} ${step.op}`);
  story[story.length - 1] += `: ${await doOne(world, step)}`;
  // A held poll that was woken: the Worker claims for it, sooner or later.
  for (const socket of [...bench.held.values()]) if (socket.ready && step.c < 0.7) await claim(world, socket, step.b);
  if (bench.calls % ALARM_CHECK_EVERY === 0) await bench.checkAlarm();
  if (index % TABLE_CHECK_EVERY === 0) bench.oracle.checkAll();
}

function doOne(world: World, { op, a, b, c }: Step): Promise<string> | string {
  switch (op) {
    case "enqueue":
      return enqueue(world, world.server(a, b), c < 0.1);
    case "status":
      return status(world, a < 0.5 ? undefined : world.server(b, c));
    case "rival":
      return rival(world, world.server(a, b));
    case "flood":
      return flood(world, a);
    case "crowd":
      return crowd(world);
    case "cancel":
      return cancelOne(world, a);
    case "poll":
      return poll(world, world.agent(a), 0, b);
    case "hold":
      return poll(world, world.agent(a), HOLD_S, b);
    case "hangUp":
      return hangUp(world, world.agent(a));
    case "begin":
      return begin(world, a);
    case "progress":
      return progress(world, a, b);
    case "finish":
      return finish(world, a, b, c);
    case "deliver":
      return deliver(world, a, b);
    case "bounce":
      return bounce(world, world.agent(a));
    case "replay":
      return replay(world, a);
    case "kill":
      return restart(world, a, "kill");
    case "stop":
      return restart(world, a, "shutDown");
    case "tick":
      return pass(world, SECOND * (0.1 + 12 * b * b), c < 0.9);
    case "lapse":
      return pass(world, SECOND * (60 + 80 * b), c < 0.8);
    case "age":
      return pass(world, HOUR * (1 + 25 * b), c < 0.8);
    case "back":
      return pass(world, a < 0.8 ? -100 * SECOND * b : -2 * HOUR * b, false);
    case "alarm":
      return world.bench.alarm().then(() => "the alarm comes");
    case "evict":
      throw new Error("an eviction is no step inside the object");
  }
}

function cancelOne(world: World, a: number): Promise<string> {
  return cancel(world, pick(world.bench.oracle.open, a)?.id ?? "");
}

/** The process ends, in one way or the other, and starts again. Its held poll goes with it. */
function restart(world: World, a: number, how: "kill" | "shutDown"): string {
  const agent = world.agent(a);
  world.bench.held.delete(agent.host);
  agent[how]();
  return world.name(agent.host);
}

async function pass({ bench }: World, ms: number, alarm: boolean): Promise<string> {
  bench.now += Math.round(ms);
  const came = alarm && (await bench.alarmIfDue());
  return `${(ms / SECOND).toFixed(1)} s${came ? ", the alarm comes" : ""}`;
}
