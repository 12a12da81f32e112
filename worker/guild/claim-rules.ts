import type { Actor, JobFacts } from "./job-rules.ts";
import { isEnd, KIND_RULES } from "./job-rules.ts";

/** Pure rules of which waiting job a host is given next. */

/** Places of an agent that backups leave free, so that a look at a server never waits for backups that wait for each other. */
export const PLACES_KEPT_FREE = 1;

export interface Candidate {
  id: string;
  kind: JobFacts["kind"];
  server: string | null;
  createdAt: number;
}

export interface Holder extends Pick<JobFacts, "kind" | "state"> {
  id: string;
  host: string;
  server: string | null;
  lease: string | null;
  endedBy: Actor | null;
}

/** Highest priority first, then the oldest. */
export function claimOrder(a: Candidate, b: Candidate): number {
  return KIND_RULES[b.kind].priority - KIND_RULES[a.kind].priority || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}

/**
 * Whether a job keeps its server from other jobs that need it for themselves, as a poll of `host` finds it. `listed`: that host says that
 * it still has the job.
 */
export function holdsServer(job: Holder, host: string, listed: boolean): boolean {
  if (!KIND_RULES[job.kind].writes || job.server === null) return false;
  if (job.state === "leased" || job.state === "running") return true;
  // It went silent. Whoever lists it is at work, under whatever lease; the polling host would list it, and another host may be at work.
  if (job.state === "queued") return listed || (job.lease !== null && job.host !== host);
  // Ended over its holder's head, who has yet to stop.
  return isEnd(job.state) && listed && job.endedBy !== `host ${job.host}`;
}

/** Whether a job needs a server that is held. */
export function isBlocked({ kind, server }: Candidate, held: ReadonlySet<string>): boolean {
  return KIND_RULES[kind].writes && server !== null && held.has(server);
}

/**
 * The waiting jobs that a host is given now, in their order. One that has to wait for its server blocks none behind it.
 * @param held Servers that are held by other jobs.
 * @param room How many jobs the agent takes.
 * @param busy The agent has jobs already.
 */
export function chooseJobs<J extends Candidate>(waiting: readonly J[], held: ReadonlySet<string>, room: number, busy: boolean): J[] {
  const taken = new Set(held);
  const chosen: J[] = [];
  for (const job of waiting.toSorted(claimOrder)) {
    const left = room - chosen.length;
    if (left <= 0) break;
    if (isBlocked(job, taken)) continue;
    if (KIND_RULES[job.kind].writes) {
      if (left <= PLACES_KEPT_FREE && (busy || chosen.length > 0)) continue;
      if (job.server !== null) taken.add(job.server);
    }
    chosen.push(job);
  }
  return chosen;
}
