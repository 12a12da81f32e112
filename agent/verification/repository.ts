import { mkdirSync } from "node:fs";
import { withLock } from "../backup/repository/locks/with-lock.ts";
import { Repository } from "../backup/repository/repository.ts";
import { cacheFolderOf } from "../backup/snapshots/engine.ts";
import { openPlace } from "../backup/snapshots/place.ts";
import { WorkerPool } from "../backup/workers/pool.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { AgentError } from "../errors.ts";
import { readKey } from "../recovery/key-file.ts";
import { LOWER_PRIORITY } from "./checks/tasks.ts";
import { Gate, GatedStore } from "./gate.ts";
import { noBackupYet, type VerificationDeps } from "./subject.ts";

export interface OpenedRepository {
  repository: Repository;
  /** Fires with the caller's signal, and when the lock is lost. */
  signal: AbortSignal;
}

/**
 * Does work with a server's repository under a shared lock, so that nobody prunes it meanwhile. Reads of data wait while the server is backed up.
 * @throws PutOff when there is no repository yet; what the store throws
 */
export async function withRepository<T>(
  server: ServerConfig,
  deps: VerificationDeps,
  signal: AbortSignal,
  work: (opened: OpenedRepository) => Promise<T>,
): Promise<T> {
  const { state, places, clock, log } = deps;
  const key = readKey(state.file);
  if (key === null) throw noBackupYet(server.id);
  const cacheFolder = cacheFolderOf(state.file);
  mkdirSync(cacheFolder, { recursive: true, mode: 0o700 });
  const onProblem = ({ error }: { error: unknown }) =>
    log.warn({ server: server.id, err: error }, "a copy of the repository has a problem");
  const store = await openPlace(server, { ...places, clock, log }, signal, onProblem);
  try {
    const gated = new GatedStore(store, new Gate(() => deps.lockBackup(server.id), clock), signal);
    const repository = await opened(gated, key, server, {
      cacheFolder,
      signal,
      onDamaged: ({ message }) => log.warn({ server: server.id }, message),
    });
    return await withLock(repository, "shared", { signal }, (locked) => work({ repository, signal: locked }));
  } finally {
    await store.close();
  }
}

async function opened(
  store: GatedStore,
  key: string,
  server: ServerConfig,
  options: Parameters<typeof Repository.open>[2],
): Promise<Repository> {
  try {
    return await Repository.open(store, Buffer.from(key, "utf8"), options);
  } catch (error) {
    if (error instanceof AgentError && error.code === "repository-missing") throw noBackupYet(server.id);
    throw error;
  }
}

/** One thread of the lowest priority, so that the game goes first; more where the config says that backups need not spare it. */
export async function withThreads<T>({ backup }: Pick<ServerConfig, "backup">, work: (pool: WorkerPool) => Promise<T>): Promise<T> {
  const pool = backup.lowPriority ? new WorkerPool(1) : new WorkerPool();
  try {
    if (backup.lowPriority) await pool.run(LOWER_PRIORITY, null);
    return await work(pool);
  } finally {
    await pool.close();
  }
}
