import type { Progress, PrunePayload, PruneResult } from "../../../schemas/index.ts";
import { PRUNE_INDEXES_MAX, PRUNE_PACKS_MAX } from "../../../schemas/index.ts";
import type { Clock } from "../../clock.ts";
import type { ServerConfig } from "../../config/host-config.ts";
import { AgentError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { readKey } from "../../recovery/key-file.ts";
import { forget } from "../repository/prune/forget.ts";
import { type PruneProgress, prune } from "../repository/prune/run.ts";
import { Repository } from "../repository/repository.ts";
import { type Named, NamingStore } from "../repository/stores/naming.ts";
import type { RepositoryStore } from "../repository/stores/store.ts";
import { openPlace, type PlaceDeps } from "./place.ts";

/** Bytes that nobody needs may stay, as a share of the repository: repacking costs traffic and time of the host. */
const UNUSED_SHARE_MAX = 0.1;
/** No more is packed anew in one go, in bytes: the next prune goes on. */
const REPACK_BYTES_MAX = 4_000_000_000;

export interface PruneRequest {
  server: ServerConfig;
  wanted: PrunePayload;
  report: (progress: Progress) => void;
  signal: AbortSignal;
  clock: Clock;
  log: Logger;
}

/**
 * Works out a prune of a server's repository in R2: packs anew what has to be, by adding packs and index files, and names what nobody needs then. Removes nothing.
 * @throws AgentError `prune-elsewhere`; as `Repository.open` and `prune`
 */
export async function computePrune(request: PruneRequest, deps: PlaceDeps & { stateFile: string }): Promise<PruneResult> {
  const { server, signal, log } = request;
  if (server.backup.store.type !== "r2" || server.backup.format !== "repository")
    throw new AgentError(
      "prune-elsewhere",
      `The backups of ${server.id} are no repository in R2 (any more): there is nothing to prune for the guild.`,
    );
  const store = await openPlace(server, deps, signal, ({ error }) =>
    log.warn({ server: server.id, err: error }, "the second copy has a problem"),
  );
  try {
    return await pruneByNaming(store, readKey(deps.stateFile) ?? "", request);
  } finally {
    await store.close();
  }
}

/** The same over any store. */
export async function pruneByNaming(
  store: RepositoryStore,
  password: string,
  { wanted, report, signal, clock, log }: Pick<PruneRequest, "wanted" | "report" | "signal" | "clock" | "log">,
): Promise<PruneResult> {
  const startedAt = clock.now();
  const naming = new NamingStore(store);
  const open = () => Repository.open(naming, Buffer.from(password, "utf8"), { signal });
  const there = new Set<string>();
  for await (const { name } of naming.list("snapshots", signal)) there.add(name);
  // One that is gone already needs no forgetting.
  await forget(
    await open(),
    wanted.forget.filter((id) => there.has(id)),
    { signal },
  );
  const options = { signal, maxUnusedShare: UNUSED_SHARE_MAX, maxRepackBytes: REPACK_BYTES_MAX };
  const { bytesRepacked } = await prune(await open(), { ...options, report: (progress) => report(shown(progress)) });
  const { named, more } = bounded(naming.named);
  log.info({ server: wanted.server, snapshots: named.snapshots.length, packs: named.data.length, bytesRepacked }, "worked out a prune");
  return {
    server: wanted.server,
    snapshots: named.snapshots,
    indexes: named.index,
    packs: named.data,
    more,
    repackedBytes: bytesRepacked,
    durationMs: Math.max(0, Math.round(clock.now() - startedAt)),
  };
}

/**
 * As much as an answer may name. Packs that are left out are named by no index file then, and go next time. With index files left out every pack has to stay:
 * those still name some.
 */
function bounded({ snapshots, index, data }: Named): { named: Named; more: boolean } {
  const packs = index.length > PRUNE_INDEXES_MAX ? [] : data.slice(0, PRUNE_PACKS_MAX);
  return { named: { snapshots, index: index.slice(0, PRUNE_INDEXES_MAX), data: packs }, more: packs.length < data.length };
}

function shown({ phase, done, total = 0 }: PruneProgress): Progress {
  return {
    phase: phase === "repacking" ? "archiving" : "scanning",
    done: phase === "repacking" ? done : 0,
    total: phase === "repacking" ? total : 0,
  };
}
