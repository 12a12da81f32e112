import type { Clock } from "../../../clock.ts";
import type { Repository } from "../repository.ts";
import type { LockKind, LockOptions } from "./lock.ts";

export interface LockedWork {
  signal: AbortSignal;
  clock?: Clock;
  /** The work reads first, and waits for the lock to be confirmed before it writes anything. */
  readsFirst?: boolean;
}

/**
 * Does work under a lock. The signal that the work gets fires when the caller's does, and when the lock is lost.
 * @throws AgentError `repository-locked`, `lock-lost`
 */
export async function withLock<T>(
  repository: Repository,
  kind: LockKind,
  { signal, clock, readsFirst = false }: LockedWork,
  work: (signal: AbortSignal, confirmed: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const options: LockOptions = { signal, clock, onLost: (error) => lost.abort(error) };
  const lock = await (readsFirst ? repository.beginLock(kind, options) : repository.lock(kind, options));
  let result: { value: T } | { error: unknown };
  try {
    result = { value: await work(AbortSignal.any([signal, lost.signal]), () => lock.confirmed()) };
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
