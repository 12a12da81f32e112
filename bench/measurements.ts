import type { Measurement } from "./context.ts";
import { measureDispatch } from "./dispatch.ts";
import { measureFreePlan } from "./free-plan.ts";
import { measureInteractions } from "./interactions.ts";
import { measureThousand } from "./thousand.ts";
import { measureZip } from "./zip.ts";

const MINUTE = 60_000;

/** All measurements, in the order in which they run. */
export const MEASUREMENTS: readonly Measurement[] = [
  {
    name: "dispatch",
    about: "from a signed /backup now to the job in the agent's hands",
    maxMs: () => 5 * MINUTE,
    run: measureDispatch,
  },
  {
    name: "interactions",
    about: "CPU time of one interaction inside workerd, against a bare signature check",
    maxMs: () => 5 * MINUTE,
    run: measureInteractions,
  },
  {
    name: "zip",
    about: "a backup of the demo world to a folder, against zip -1",
    maxMs: () => 10 * MINUTE,
    run: measureZip,
  },
  {
    name: "thousand",
    about: "1,000 polling agents in one guild, then 50 interactions a second",
    maxMs: () => 10 * MINUTE,
    run: measureThousand,
  },
  {
    name: "free-plan",
    about: "what an idle hour and a backup use of Cloudflare's free plan, and how many agents fit it",
    maxMs: (idleMinutes) => (idleMinutes + 12) * MINUTE,
    run: measureFreePlan,
  },
];
