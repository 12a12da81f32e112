import { mkdirSync } from "node:fs";
import type { ServerConfig } from "../../config/host-config.ts";
import { cacheFolderOf } from "../snapshots/engine.ts";
import type { KeptBackups } from "./kept.ts";
import { openKeptArchives } from "./kept-archives.ts";
import { type KeptSnapshotsDeps, openKeptSnapshots } from "./kept-snapshots.ts";

/** The backups of a server, at the place that the host's config names. The caller closes. @throws as `openKeptSnapshots` and `openKeptArchives` */
export async function openKept(
  server: ServerConfig,
  deps: Omit<KeptSnapshotsDeps, "cacheFolder">,
  signal: AbortSignal,
): Promise<KeptBackups> {
  if (server.backup.format === "zip") return openKeptArchives(server);
  const cacheFolder = cacheFolderOf(deps.stateFile);
  mkdirSync(cacheFolder, { recursive: true, mode: 0o700 });
  return openKeptSnapshots(server, { ...deps, cacheFolder }, signal);
}
