import type { Clock } from "../../../clock.ts";

/** Waits until so many bytes may go through. */
export type Pace = (bytes: number, signal?: AbortSignal) => Promise<void>;

/** Bytes that may go through at once after a quiet time, as a share of a second's. */
const BURST_SECONDS = 0.25;

/** What is left in the bucket. `tokens` is below 0 while bytes are being waited for that were let through already. */
export interface Bucket {
  tokens: number;
  /** Milliseconds since the epoch. */
  at: number;
}

/**
 * Takes bytes out of a bucket that fills at `bytesPerSecond`, up to a quarter of a second's worth. More than there are may be taken: then
 * whoever took them waits until the bucket would have had them, and others after that.
 */
export function takeTokens({ tokens, at }: Bucket, bytes: number, bytesPerSecond: number, now: number): { bucket: Bucket; waitMs: number } {
  const capacity = bytesPerSecond * BURST_SECONDS;
  // A clock that was set back fills nothing.
  const filled = Math.min(capacity, tokens + (Math.max(0, now - at) / 1000) * bytesPerSecond);
  const left = filled - bytes;
  return { bucket: { tokens: left, at: now }, waitMs: left >= 0 ? 0 : Math.ceil((-left / bytesPerSecond) * 1000) };
}

/** A bandwidth that all who share the returned function share. `bytesPerSecond` is more than 0. */
export function paceOf(bytesPerSecond: number, clock: Clock): Pace {
  let bucket: Bucket = { tokens: bytesPerSecond * BURST_SECONDS, at: clock.now() };
  return async (bytes, signal) => {
    const taken = takeTokens(bucket, bytes, bytesPerSecond, clock.now());
    bucket = taken.bucket;
    if (taken.waitMs > 0) await sleep(clock, taken.waitMs, signal);
  };
}

/** Waits. An aborted signal comes through with its own reason, not as an AbortError about it. */
export async function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
