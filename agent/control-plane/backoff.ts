/** Bounds of the wait after a failure, in milliseconds. */
export const BACKOFF_MIN_MS = 1000;
export const BACKOFF_MAX_MS = 60_000;

/** A control plane that asks for more than this is asked again all the same, in milliseconds. */
export const RETRY_AFTER_MAX_MS = 5 * 60_000;

/**
 * How long to wait after so many failures in a row (1 or more): anywhere between the minimum and an upper bound that doubles each
 * time, so that many hosts that lost the same control plane do not come back at the same moment.
 * @param random at least 0, below 1
 */
export function backoff(failures: number, random: number): number {
  const upper = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 16));
  return Math.round(BACKOFF_MIN_MS + random * (upper - BACKOFF_MIN_MS));
}

/**
 * The `Retry-After` of an answer in milliseconds, bounded; 0 when there is none that makes sense.
 * RFC 9110 section 10.2.3: seconds, or an HTTP date.
 */
export function retryAfter(response: Response, now: number): number {
  const value = response.headers.get("retry-after");
  if (value === null) return 0;
  const ms = /^\d{1,9}(?:\.\d{1,6})?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.min(RETRY_AFTER_MAX_MS, Math.max(0, Math.ceil(ms))) : 0;
}
