import type { Instant } from "../../schemas/index.ts";

/** Pure rules of how often a member may use commands. */

/** `query` only looks, `act` does something that can be done again, `danger` cannot be taken back easily. */
export type RateClass = "query" | "act" | "danger";

export interface RateLimit {
  count: number;
  windowMs: number;
}

export type RateLimits = Record<RateClass, RateLimit>;

/** A member's limits unless `/config set` says otherwise. */
export const RATE_LIMITS_DEFAULT: RateLimits = {
  query: { count: 5, windowMs: 30_000 },
  act: { count: 3, windowMs: 60_000 },
  danger: { count: 1, windowMs: 120_000 },
};

/** What `/config set` takes. The count bounds what is remembered of a member. */
export const RATE_COUNT_MAX = 50;
export const RATE_WINDOW_MAX_MS = 60 * 60_000;

/** One use of a command. `key` is the interaction's id: one that Discord delivers twice counts once. */
export interface Hit {
  at: Instant;
  key: string;
}

export type RateVerdict = { allowed: true; hits: Hit[]; again: boolean } | { allowed: false; until: Instant };

/** Whether one more use fits into a sliding window. `until` says when the next one does. */
export function admitHit(hits: readonly Hit[], key: string, { count, windowMs }: RateLimit, now: Instant): RateVerdict {
  // A clock that was set back must not lock anybody out.
  const recent = hits.filter((hit) => hit.at > now - windowMs && hit.at <= now);
  if (recent.some((hit) => hit.key === key)) return { allowed: true, hits: recent, again: true };
  const oldest = recent.at(-count);
  if (oldest !== undefined) return { allowed: false, until: oldest.at + windowMs };
  return { allowed: true, hits: [...recent, { at: now, key }], again: false };
}

/** `5/30s`: as people write a limit; null when it is none, or out of bounds. */
export function parseRateLimit(text: string): RateLimit | null {
  const match = /^\s*(\d{1,3})\s*\/\s*(\d{1,4})\s*s?\s*$/.exec(text);
  if (match === null) return null;
  const limit = { count: Number(match[1]), windowMs: Number(match[2]) * 1000 };
  const fits = limit.count >= 1 && limit.count <= RATE_COUNT_MAX && limit.windowMs >= 1000 && limit.windowMs <= RATE_WINDOW_MAX_MS;
  return fits ? limit : null;
}

export function rateLimitText({ count, windowMs }: RateLimit): string {
  return `${count}/${windowMs / 1000}s`;
}
