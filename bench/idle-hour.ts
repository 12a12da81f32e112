import { ACCESS_TOKEN_LIFE_S } from "../schemas/index.ts";
import type { Counts, Snapshot, Source } from "./counts.ts";
import { minus, plus, times } from "./counts.ts";

const HOUR_S = 3600;
/** An agent asks for a new token when nine tenths of its token's life are over (agent/control-plane/token-client.ts). */
export const TOKEN_EVERY_S = ACCESS_TOKEN_LIFE_S * 0.9;
/** What polls bring is written down at most every five minutes (worker/guild/presence.ts). */
export const SEEN_EVERY_S = 300;
/** How the statement begins that writes down when a host was seen. */
export const SEEN_STATEMENT = "UPDATE hosts SET seen_at";
/** The route of the token endpoint, as the counting Worker names it. */
export const TOKEN_ROUTE = "POST /v1/token";

/** What happened between two snapshots. */
export interface Span {
  counts: Counts;
  seconds: number;
  /** Token refreshes. */
  tokens: number;
  /** Writes of "last seen". */
  seen: Source;
}

/** What one token refresh, and one write of "last seen", costs. */
export interface Periodic {
  token: Counts;
  seenRows: number;
}

export function spanBetween(before: Snapshot, after: Snapshot, seconds: number): Span {
  const [earlier, later] = [seenIn(before), seenIn(after)];
  return {
    counts: minus(after.counts, before.counts),
    seconds,
    tokens: (after.routes[TOKEN_ROUTE]?.times ?? 0) - (before.routes[TOKEN_ROUTE]?.times ?? 0),
    seen: { times: later.times - earlier.times, rowsWritten: later.rowsWritten - earlier.rowsWritten },
  };
}

/** All that was written by the statement that notes when a host was seen. */
export function seenIn(snapshot: Snapshot): Source {
  const found = Object.entries(snapshot.statements).filter(([statement]) => statement.startsWith(SEEN_STATEMENT));
  return {
    times: found.reduce((sum, [, source]) => sum + source.times, 0),
    rowsWritten: found.reduce((sum, [, source]) => sum + source.rowsWritten, 0),
  };
}

/** A span without what happens on a longer beat than a poll: in a short span it would count for nothing or for far too much. */
export function withoutPeriodic(span: Span, cost: Periodic): Counts {
  const counts = minus(span.counts, times(cost.token, span.tokens));
  return { ...counts, rowsWritten: counts.rowsWritten - span.seen.rowsWritten };
}

/** One idle hour: the span scaled up, and token refreshes and writes of "last seen" at their true rate. */
export function idleHour(span: Span, cost: Periodic): Counts {
  const polls = times(withoutPeriodic(span, cost), HOUR_S / span.seconds);
  const hour = plus(polls, times(cost.token, HOUR_S / TOKEN_EVERY_S));
  return { ...hour, rowsWritten: hour.rowsWritten + (cost.seenRows * HOUR_S) / SEEN_EVERY_S };
}

/**
 * What a backup cost beyond what the agent would have used in the same time idle. Counts are rounded to tenths and not below zero: a part
 * of a poll at the edge of the span is no cost of the backup.
 */
export function beyondIdle(busy: Span, idle: Span, cost: Periodic): Counts {
  const more = minus(withoutPeriodic(busy, cost), times(withoutPeriodic(idle, cost), busy.seconds / idle.seconds));
  const rounded = Object.entries(more).map(([name, value]) => [name, Math.max(0, Math.round(value * 10) / 10)]);
  return Object.fromEntries(rounded) as Counts;
}
