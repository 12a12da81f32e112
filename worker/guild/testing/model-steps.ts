import { randomNumbers } from "../../../schemas/testing/random.ts";
import { pick } from "./model-random.ts";

/**
 * Steps of a random walk as plain data: what to do, and three numbers from 0 to 1 that say to whom and how. What a number means depends on
 * the state in which it is read, so any part of a walk is a walk: a failing one can be cut down.
 */
export interface Step {
  op: Op;
  a: number;
  b: number;
  c: number;
}

/** How often each kind of step comes. */
const WEIGHTS = {
  /** A member asks for a backup of a server; sometimes Discord delivers it twice. */
  enqueue: 60,
  /** A member asks how one server or all are. */
  status: 25,
  /** Another job that needs its server for itself, as a restore will. */
  rival: 8,
  /** A member asks for so many jobs that the queue of a host is full, and takes most of them back. */
  flood: 0.2,
  /** So many other messages that the oldest are forgotten. */
  crowd: 0.2,
  cancel: 30,
  /** An agent polls without waiting. */
  poll: 140,
  /** An agent's poll is held. */
  hold: 60,
  /** A held poll is over: its time, or its line. */
  hangUp: 25,
  /** An agent's job begins, goes on, ends. */
  begin: 60,
  progress: 110,
  finish: 90,
  /** An agent delivers what waits in its outbox. */
  deliver: 120,
  /** An earlier request arrives once more, late. */
  replay: 40,
  /** Time goes on: seconds, more than a lease, hours. */
  tick: 130,
  lapse: 25,
  age: 3,
  /** The clock is set back. */
  back: 5,
  /** The alarm comes once more, without being due. */
  alarm: 8,
  /** The object loses its memory. */
  evict: 2,
  /** An agent is killed and starts again. */
  kill: 15,
  /** An agent is stopped: it hands back what it has, and starts again. */
  stop: 5,
  /** An agent is stopped and started so often that what it hands back is given up. */
  bounce: 1,
} as const;
export type Op = keyof typeof WEIGHTS;

/** The steps of one walk. The same seed makes the same steps. */
export function stepsOf(seed: number, count: number): Step[] {
  const random = randomNumbers(seed);
  const bag = (Object.entries(WEIGHTS) as [Op, number][]).flatMap(([op, weight]) => Array<Op>(Math.round(weight * 5)).fill(op));
  return Array.from({ length: count }, () => {
    const op = pick(bag, random()) ?? "poll";
    return { op, a: random(), b: random(), c: random() };
  });
}

/** What the network does to a request. `twice`: it arrives two times, and the first answer counts. */
export type Fate = "arrives" | "lost" | "answer lost" | "twice";

export function fateOf(number: number): Fate {
  if (number < 0.8) return "arrives";
  if (number < 0.87) return "lost";
  return number < 0.94 ? "answer lost" : "twice";
}
