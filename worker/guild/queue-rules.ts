import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";

/** Jobs that may wait or run in a guild at a time. */
export const OPEN_JOBS_MAX = 200;
/** And for one host: a backup of each of its servers (at most 50, schemas/poll.ts), and some looks at them. */
export const OPEN_JOBS_PER_HOST_MAX = 60;

export interface QueueLength {
  open: number;
  /** Of those, how many no agent has taken yet. */
  waiting: number;
}

/** Why one more job cannot be queued for a host now, or null. `more`: how many the guild gets at once, one of them for this host. */
export function queueObjection(guild: QueueLength, host: QueueLength & { name: string }, more = 1): Refusal | null {
  if (host.open >= OPEN_JOBS_PER_HOST_MAX) {
    return refuse("host-queue-full", { host: host.name, limit: String(OPEN_JOBS_PER_HOST_MAX), waiting: String(host.waiting) });
  }
  if (guild.open + more > OPEN_JOBS_MAX) return refuse("queue-full", { limit: String(OPEN_JOBS_MAX), waiting: String(guild.waiting) });
  return null;
}
