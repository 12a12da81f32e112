import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import type { CorruptError } from "../../backup/repository/format/corrupt.ts";
import { withLock } from "../../backup/repository/locks/with-lock.ts";
import { Repository } from "../../backup/repository/repository.ts";
import { openStore } from "../../backup/repository/stores/open.ts";
import { paceOf } from "../../backup/repository/stores/pace.ts";
import type { RepositoryStore } from "../../backup/repository/stores/store.ts";
import { systemClock } from "../../clock.ts";
import { AgentError, EXIT } from "../../errors.ts";
import { type Io, printLine } from "../io.ts";
import { untilStopped } from "../signals.ts";
import { defaultCacheFolder } from "./cache.ts";
import type { RepositoryOptions } from "./options.ts";
import { readPassword } from "./password.ts";

/** What a command does with an open store: `password` is what the file holds. */
interface Opened {
  store: RepositoryStore;
  password: Buffer;
  signal: AbortSignal;
  cacheFolder: string | undefined;
}

/** Opens the store that `--repo` names, and closes it when the work is done, failed or stopped. */
export async function withStore<T>(options: RepositoryOptions, io: Io, work: (opened: Opened) => Promise<T>): Promise<T> {
  const place = options.repo ?? io.env.RECONSYNC_REPOSITORY;
  if (place === undefined || place === "") {
    throw new AgentError("repository-place-missing", "say where the repository is: --repo FOLDER_OR_URL", { exitCode: EXIT.usage });
  }
  const password = await readPassword(options, io);
  const cacheFolder = await cacheOf(options, io);
  return untilStopped(
    async (signal) => {
      const { limitUpload, limitDownload } = options;
      const store = await openStore(place, {
        env: io.env,
        signal,
        upload: limitUpload === undefined ? undefined : paceOf(limitUpload, systemClock),
        download: limitDownload === undefined ? undefined : paceOf(limitDownload, systemClock),
      });
      try {
        return await work({ store, password, signal, cacheFolder });
      } finally {
        await store.close();
      }
    },
    () => printLine(io.err, "\nstopping; what is stored already stays"),
  );
}

/**
 * The same with the repository open. What is damaged in it is told, and work goes on with the rest; with `strict` it is an error, for work that removes
 * something.
 */
export function withRepository<T>(
  options: RepositoryOptions,
  io: Io,
  work: (repository: Repository, opened: Opened) => Promise<T>,
  { strict = false }: { strict?: boolean } = {},
): Promise<T> {
  return withStore(options, io, async (opened) => {
    const { store, password, signal, cacheFolder } = opened;
    const onDamaged = strict ? undefined : tellDamaged(io);
    return work(await Repository.open(store, password, { cacheFolder, signal, onDamaged }), opened);
  });
}

export function tellDamaged(io: Io): (damage: CorruptError) => void {
  return ({ code, message }) => printLine(io.err, `reconsync: ${code}: ${message}`);
}

/**
 * Does work that reads much, under a lock that keeps others from removing what it needs. Where no lock can be written, such as on a read-only disk, it
 * goes on without one and says so.
 */
export async function underReadLock<T>(
  repository: Repository,
  { io, signal, lock = true, readsFirst }: { io: Io; signal: AbortSignal; lock?: boolean; readsFirst?: boolean },
  work: (signal: AbortSignal, confirmed: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const nothingToWaitFor = () => Promise.resolve();
  if (!lock) return work(signal, nothingToWaitFor);
  let began = false;
  try {
    return await withLock(repository, "shared", { signal, readsFirst }, (locked, confirmed) => {
      began = true;
      return work(locked, confirmed);
    });
  } catch (error) {
    if (began || !(error instanceof AgentError) || error.code !== "store-refused") throw error;
    printLine(io.err, `No lock can be written at ${repository.store.place}: make sure that nobody prunes it meanwhile.`);
    return work(signal, nothingToWaitFor);
  }
}

async function cacheOf({ cache }: RepositoryOptions, io: Io): Promise<string | undefined> {
  if (cache === false) return undefined;
  const folder = typeof cache === "string" ? resolve(cache) : defaultCacheFolder(process.platform, io.env);
  if (folder !== undefined) await mkdir(folder, { recursive: true, mode: 0o700 });
  return folder;
}
