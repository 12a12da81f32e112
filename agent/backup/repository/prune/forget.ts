import { AgentError, EXIT } from "../../../errors.ts";
import { atOnce } from "../at-once.ts";
import type { Id } from "../format/ids.ts";
import { type LockedWork, withLock } from "../locks/with-lock.ts";
import type { Repository } from "../repository.ts";

export interface ForgetOptions extends LockedWork {
  /** Without it, a repository never loses its last snapshot. */
  allowNone?: boolean;
}

/**
 * Removes snapshots. What only they held stays in the repository until `prune`.
 * @throws AgentError `snapshot-missing`, `last-snapshot`, `repository-locked`; what the store throws
 */
export async function forget(repository: Repository, ids: readonly Id[], options: ForgetOptions): Promise<Id[]> {
  const wanted = new Set(ids);
  if (wanted.size === 0) return [];
  return withLock(repository, "exclusive", options, async (signal) => {
    const { store } = repository;
    const there = new Set<Id>();
    for await (const { name } of store.list("snapshots", signal)) there.add(name);
    for (const id of wanted) {
      if (!there.has(id))
        throw new AgentError("snapshot-missing", `There is no snapshot ${id}. "reconsync repository snapshots" lists those there are.`);
    }
    if (wanted.size === there.size && options.allowNone !== true) {
      const text =
        "These are all snapshots of the repository: nothing would be left to restore. Keep one, or allow explicitly that none is left.";
      throw new AgentError("last-snapshot", text, { exitCode: EXIT.refused });
    }
    await atOnce(wanted, store.parallel, async (id) => {
      signal.throwIfAborted();
      await store.remove("snapshots", id, signal);
    });
    return [...wanted];
  });
}
