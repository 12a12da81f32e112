import type { Clock } from "../../../clock.ts";
import type { Repository } from "../repository.ts";
import type { LockKind } from "./lock.ts";

export interface LockedWork {
  signal: AbortSignal;
  clock?: Clock;
}

/**
 * Does work under a lock. The signal that the work gets fires when the caller's does, and when the lock is lost.
 * @throws AgentError `repository-locked`, `lock-lost`
 */
export async function withLock<T>(
  repository: Repository,
  kind: LockKind,
  { signal, clock }: LockedWork,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const lock = await repository.lock(kind, { signal, clock, onLost: (error) => lost.abort(error) });
  let result: { value: T } | { error: unknown };
  try {
    result = { value: await work(AbortSignal.any([signal, lost.signal])) };
  } catch (error) {
    result = { error };
  }
  if ("error" in result) {
    // The first error is the one to tell; a lock that stays is stale after half an hour.
    await lock.release().catch(() => undefined);
    throw result.error;
  }
  await lock.release();
  return result.value;
}
