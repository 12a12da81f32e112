import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { BackupConfig, ServerConfig, StoreConfig } from "../../config/host-config.ts";
import type { RepositoryAccess } from "../../control-plane/control-plane.ts";
import type { Logger } from "../../logger.ts";
import { MirroredStore, type MirrorProblem } from "../repository/stores/mirrored.ts";
import { type OpenStoreOptions, openStore } from "../repository/stores/open.ts";
import { type Pace, paceOf } from "../repository/stores/pace.ts";
import { RestStore } from "../repository/stores/rest.ts";
import type { RepositoryStore } from "../repository/stores/store.ts";

export interface PlaceDeps {
  clock: Clock;
  log: Logger;
  env: NodeJS.ProcessEnv;
  /** This host's way to the repositories in R2. */
  access: RepositoryAccess;
}

/** The repository of a server as a person finds it: a folder, an address, or R2. */
export function placeOf(store: StoreConfig, server: string): string {
  switch (store.type) {
    case "local":
      return join(store.folder, server);
    case "r2":
      return "R2";
    case "url":
      return `${store.url.replace(/\/+$/, "")}/${server}`;
  }
}

/** Folders on this host that hold repositories, which no backup takes in. */
export function storeFolders({ store, mirror }: Pick<BackupConfig, "store" | "mirror">): string[] {
  return [store, mirror].flatMap((place) => (place?.type === "local" ? [place.folder] : []));
}

/** The store of a server's repository, with its mirror when the config names one. `onProblem` hears of what fails in the mirror. */
export async function openPlace(
  { id, backup }: ServerConfig,
  deps: PlaceDeps,
  signal: AbortSignal,
  onProblem: (problem: MirrorProblem) => void,
): Promise<RepositoryStore> {
  const { upload, download } = backup.bandwidth;
  const options: OpenStoreOptions = {
    env: deps.env,
    signal,
    upload: paceFor(upload, deps.clock),
    download: paceFor(download, deps.clock),
    onRetry: (what, waitMs) => deps.log.info({ server: id, what, waitMs }, "a request to the store failed and is repeated"),
  };
  const first = await open(backup.store, id, deps, options);
  if (backup.mirror === undefined) return first;
  try {
    return new MirroredStore(first, await open(backup.mirror, id, deps, options), { onProblem });
  } catch (error) {
    await first.close();
    throw error;
  }
}

async function open(store: StoreConfig, server: string, { access }: PlaceDeps, options: OpenStoreOptions): Promise<RepositoryStore> {
  switch (store.type) {
    case "r2": {
      const { upload, download, onRetry } = options;
      const authorization = (again: boolean) => access.authorization(again);
      return new RestStore(`${access.origin}/v1/repositories/${server}/`, { authorization, upload, download, onRetry });
    }
    case "local":
      // The limit is the line's, not the disk's.
      return openStore(`local:${placeOf(store, server)}`, { ...options, upload: undefined, download: undefined });
    case "url": {
      const credentials = Object.entries(store.credentials).map(([name, secret]) => [name, secret.reveal()] as const);
      return openStore(placeOf(store, server), { ...options, env: { ...options.env, ...Object.fromEntries(credentials) } });
    }
  }
}

function paceFor(bytesPerSecond: number | undefined, clock: Clock): Pace | undefined {
  return bytesPerSecond === undefined ? undefined : paceOf(bytesPerSecond, clock);
}
