import type { Counts } from "./counts.ts";

/**
 * Cloudflare's free plan, and what a load uses of it. Read in 2026 from developers.cloudflare.com: workers/platform/pricing,
 * durable-objects/platform/pricing, r2/pricing.
 */

/** An object is billed for 128 MB while it is awake, in GB. */
const OBJECT_GB = 0.128;
/** Incoming WebSocket messages count as one request for so many. */
const MESSAGES_PER_REQUEST = 20;
/** The monthly limits have to last for the longest month. */
const DAYS_PER_MONTH = 31;

export const LIMITS = [
  { name: "Worker requests", perDay: 100_000, used: (counts) => counts.workerRequests },
  { name: "object requests", perDay: 100_000, used: objectRequests },
  { name: "object duration", perDay: 13_000, used: gigabyteSeconds },
  { name: "rows written", perDay: 100_000, used: (counts) => counts.rowsWritten },
  { name: "rows read", perDay: 5_000_000, used: (counts) => counts.rowsRead },
  { name: "R2 class A", perDay: 1_000_000 / DAYS_PER_MONTH, used: (counts) => counts.r2ClassA },
  { name: "R2 class B", perDay: 10_000_000 / DAYS_PER_MONTH, used: (counts) => counts.r2ClassB },
] as const satisfies readonly { name: string; perDay: number; used: (counts: Counts) => number }[];
export type LimitName = (typeof LIMITS)[number]["name"];

/** Requests to the object as they are billed: HTTP, RPC, alarms, and WebSocket messages 20 to 1. */
export function objectRequests(counts: Counts): number {
  return counts.objectFetches + counts.objectCalls + counts.alarms + counts.socketMessages / MESSAGES_PER_REQUEST;
}

/** Billed duration: time in which handlers run. An object that is idle and may hibernate costs nothing, even before it hibernates. */
export function gigabyteSeconds(counts: Counts): number {
  return (counts.awakeMs / 1000) * OBJECT_GB;
}

export interface Fit {
  limit: LimitName;
  /** How many fit; null when they use nothing of it. */
  agents: number | null;
}

/** How many agents fit the free plan by each of its limits, when one uses `perDay` in a day. */
export function fits(perDay: Counts): Fit[] {
  return LIMITS.map((limit) => {
    const used = limit.used(perDay);
    return { limit: limit.name, agents: used > 0 ? Math.floor(limit.perDay / used) : null };
  });
}
