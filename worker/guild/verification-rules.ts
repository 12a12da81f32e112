import type { Instant, Verification } from "../../schemas/index.ts";

/** With drills on, the guild is told when none has proven a backup for so long, in milliseconds: two weekly drills did not. */
export const UNPROVEN_MS = 14 * 24 * 60 * 60_000;

/** Backups of a server did not pass a check. Told once, until they pass again. */
export interface FailedCheckNotice {
  kind: "verification-failed";
  host: string;
  /** The last one that failed. */
  verification: Verification;
  /** When the first one of these failed. */
  first: Instant;
  count: number;
  overAt: Instant | null;
}

/** No drill has proven a backup for a long time, although the host makes them. */
export interface UnprovenNotice {
  kind: "unproven";
  host: string;
  server: string;
  /** When one was proven last, or since when drills are made. */
  since: Instant;
  ever: boolean;
  /** Why the last one could not be made, in the host's words. */
  reason: string | null;
  at: Instant;
  overAt: Instant | null;
  /** It is over because the host makes no drills any more. */
  off?: true;
}

/** When a verification ended. */
export function endOf({ startedAt, durationMs }: Verification): Instant {
  return startedAt + durationMs;
}

/** What there is to tell of a failure, after what was told before. */
export function afterFailed(told: FailedCheckNotice | null, host: string, verification: Verification): FailedCheckNotice {
  const open = told !== null && told.overAt === null && told.host === host ? told : null;
  const first = open?.first ?? endOf(verification);
  return { kind: "verification-failed", host, verification, first, count: (open?.count ?? 0) + 1, overAt: null };
}

/** Since when a server has gone without a proof for too long; null when it has not, or makes no drills. */
export function unprovenSince(drillsSince: Instant | undefined, proven: Verification | null, now: Instant): Instant | null {
  if (drillsSince === undefined) return null;
  const since = Math.max(drillsSince, proven === null ? 0 : endOf(proven));
  return now - since > UNPROVEN_MS ? since : null;
}
