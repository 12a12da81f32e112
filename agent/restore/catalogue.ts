import { mkdirSync } from "node:fs";
import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPromise } from "yauzl";
import { type BackupRef, SHORT_ID_DIGITS } from "../../schemas/index.ts";
import { MANIFEST_SUFFIX } from "../../schemas/manifest.ts";
import { errorCode } from "../backup/error-code.ts";
import { readManifestEnds } from "../backup/manifest.ts";
import { parseArchiveName } from "../backup/names.ts";
import type { Snapshot } from "../backup/repository/format/snapshot.ts";
import { Repository } from "../backup/repository/repository.ts";
import { timeNs } from "../backup/repository/snapshots.ts";
import { cacheFolderOf, wrongKey } from "../backup/snapshots/engine.ts";
import { openPlace, type PlaceDeps } from "../backup/snapshots/place.ts";
import { ArchiveApi } from "../backup/stores/archive-api.ts";
import type { ServerConfig } from "../config/host-config.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { AgentError, EXIT } from "../errors.ts";
import { readKey } from "../recovery/key-file.ts";
import { noRecoveryKey } from "../recovery/no-key.ts";
import { fetchManifest, openR2Archive } from "./r2-archive.ts";
import { SnapshotSource } from "./repository-source.ts";
import type { RestoreSource } from "./source.ts";
import { ZipSource } from "./zip-source.ts";

export interface CatalogueDeps extends PlaceDeps {
  /** The recovery key and what is kept of repositories lie beside it. */
  stateFile: string;
  plane: ControlPlane;
}

/** A backup as a person chooses it. */
export interface ListedBackup {
  ref: BackupRef;
  /** The archive, or the first digits of the snapshot. */
  name: string;
  /** Milliseconds since the epoch. */
  madeAt: number;
  /** Size of its files, in bytes; absent when it does not tell. */
  sourceBytes?: number;
  files?: number;
  torn: boolean;
  /** It was made by a restore, of what was there before. */
  safety: boolean;
  note?: string;
}

const NS_PER_MS = 1_000_000n;
/** A person waits for the list, in milliseconds. */
const LIST_PATIENCE_MS = 30_000;

/** The backups of a server in the place that its config names, newest first. */
export async function listBackups(server: ServerConfig, deps: CatalogueDeps, signal: AbortSignal): Promise<ListedBackup[]> {
  const found =
    server.backup.format === "repository" ? await listSnapshots(server, deps, signal) : await listArchives(server, deps, signal);
  return found.sort((a, b) => b.madeAt - a.madeAt || (a.name < b.name ? 1 : -1));
}

/** Opens one of them. Whoever opens it closes it. @throws AgentError `snapshot-missing`, `archive-missing`, what opening its place throws */
export async function openBackup(server: ServerConfig, ref: BackupRef, deps: CatalogueDeps, signal: AbortSignal): Promise<RestoreSource> {
  if (ref.format === "repository") {
    const { repository, close } = await openRepository(server, deps, signal);
    try {
      const snapshot = await repository.findSnapshot(ref.snapshot, {}, signal);
      if (!isOf(server, snapshot)) throw notThere(server, `snapshot ${ref.snapshot.slice(0, SHORT_ID_DIGITS)}`);
      await repository.loadIndex(signal);
      return new SnapshotSource({ repository, snapshot, close });
    } catch (error) {
      await close();
      throw error;
    }
  }
  if (parseArchiveName(ref.archive)?.server !== server.id) throw notThere(server, ref.archive);
  return ref.store === "local" ? openLocalArchive(server, ref) : openRemoteArchive(server, ref, deps, signal);
}

/** The newest of the backups that a person may mean: made at or before a time, and none that a restore made itself. */
export function newestAt(backups: readonly ListedBackup[], at: number | undefined): ListedBackup | undefined {
  return backups.find(({ madeAt, safety }) => !safety && (at === undefined || madeAt <= at));
}

async function openRepository(server: ServerConfig, deps: CatalogueDeps, signal: AbortSignal) {
  // One that is made now would open nothing, and bar the way for the right one.
  const key = readKey(deps.stateFile);
  if (key === null) throw noRecoveryKey(deps.stateFile);
  const cacheFolder = cacheFolderOf(deps.stateFile);
  mkdirSync(cacheFolder, { recursive: true, mode: 0o700 });
  const store = await openPlace(server, deps, signal, (problem) =>
    deps.log.warn({ server: server.id, ...problem }, "the second place of the repository has a problem"),
  );
  try {
    const repository = await Repository.open(store, Buffer.from(key, "utf8"), { cacheFolder, signal });
    return { repository, close: () => store.close() };
  } catch (error) {
    await store.close();
    throw error instanceof AgentError && error.code === "wrong-password" ? wrongKey(server, store, error) : error;
  }
}

async function listSnapshots(server: ServerConfig, deps: CatalogueDeps, signal: AbortSignal): Promise<ListedBackup[]> {
  const { repository, close } = await openRepository(server, deps, signal);
  try {
    const found: ListedBackup[] = [];
    for await (const snapshot of repository.snapshots(signal)) if (isOf(server, snapshot)) found.push(listed(snapshot));
    return found;
  } finally {
    await close();
  }
}

function isOf({ id }: ServerConfig, { tags = [] }: Snapshot): boolean {
  return tags.includes(`reconsync:server=${id}`);
}

function listed({ id, time, tags = [], summary }: Snapshot): ListedBackup {
  const note = tags.find((tag) => tag.startsWith(NOTE_TAG))?.slice(NOTE_TAG.length);
  return {
    ref: { format: "repository", snapshot: id },
    name: id.slice(0, SHORT_ID_DIGITS),
    madeAt: Number(timeNs(time) / NS_PER_MS),
    ...(summary !== undefined && { sourceBytes: summary.totalBytes, files: summary.totalFiles }),
    torn: tags.includes("reconsync:consistency=torn"),
    safety: tags.includes("reconsync:purpose=safety"),
    ...(note !== undefined && { note }),
  };
}

const NOTE_TAG = "reconsync:note=";

/** Archives with a whole manifest: those without one prove nothing, and are left out. */
async function listArchives(server: ServerConfig, deps: CatalogueDeps, signal: AbortSignal): Promise<ListedBackup[]> {
  const { store } = server.backup;
  if (store.type !== "local") return listRemote(server, deps, signal);
  const found: ListedBackup[] = [];
  for (const name of await namesIn(store.folder)) {
    if (parseArchiveName(name)?.server !== server.id) continue;
    const ends = await readManifestEnds(join(store.folder, name + MANIFEST_SUFFIX)).catch((error: unknown) => {
      if (!(error instanceof AgentError)) throw error;
      return undefined;
    });
    if (ends === undefined || ends.header.server !== server.id || ends.header.archive !== name) continue;
    const { header, footer } = ends;
    found.push({
      ref: { format: "zip", archive: name, store: "local" },
      name,
      madeAt: Date.parse(header.createdAt),
      sourceBytes: footer.sourceBytes,
      files: footer.files,
      torn: footer.consistency === "torn",
      safety: header.purpose === "safety",
      ...(header.note !== undefined && { note: header.note }),
    });
  }
  return found;
}

/** What the guild keeps in R2, whichever host made it. */
async function listRemote({ id }: ServerConfig, { plane, clock, log }: CatalogueDeps, signal: AbortSignal): Promise<ListedBackup[]> {
  const api = new ArchiveApi({ controlPlane: plane, clock, log, random: Math.random }, LIST_PATIENCE_MS);
  const kept = await api.list(id, signal);
  return kept.map(({ upload, name, madeAt, torn = false, safety = false }) => ({
    ref: { format: "zip", archive: name, store: "r2", upload },
    name,
    madeAt,
    torn,
    safety,
  }));
}

async function openLocalArchive(server: ServerConfig, ref: BackupRef & { format: "zip" }): Promise<RestoreSource> {
  const { store } = server.backup;
  const path = store.type === "local" ? join(store.folder, ref.archive) : null;
  const stats = path === null ? undefined : await lstat(path).catch(unlessMissing);
  if (path === null || stats?.isFile() !== true) throw notThere(server, ref.archive);
  const manifest = path + MANIFEST_SUFFIX;
  const ends = await readManifestEnds(manifest);
  const open = () => openPromise(path, { decodeStrings: false, autoClose: false });
  return new ZipSource({ ref, open, manifest, ...ends, close: async () => undefined });
}

async function openRemoteArchive(
  server: ServerConfig,
  ref: BackupRef & { format: "zip" },
  { plane, clock, log }: CatalogueDeps,
  signal: AbortSignal,
): Promise<RestoreSource> {
  const { upload } = ref;
  if (upload === undefined) throw notThere(server, ref.archive);
  const deps = { plane, clock, log, signal };
  const folder = await mkdtemp(join(tmpdir(), "reconsync-manifest-"));
  const close = () => rm(folder, { recursive: true, force: true });
  try {
    const manifest = join(folder, "manifest");
    await fetchManifest(upload, manifest, deps);
    const ends = await readManifestEnds(manifest);
    const open = () => openR2Archive(upload, ends.footer.archiveBytes, deps);
    return new ZipSource({ ref, open, manifest, ...ends, close });
  } catch (error) {
    await close();
    throw error;
  }
}

function notThere({ id }: ServerConfig, name: string): AgentError {
  const text = `There is no ${name} among the backups of ${id}: it may have been removed, or lie in another place than config.yaml names. "reconsync restore ${id} --list" shows what is there.`;
  return new AgentError("backup-missing", text, { exitCode: EXIT.usage });
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(unlessMissing)) ?? [];
}

function unlessMissing(error: unknown): undefined {
  if (errorCode(error) !== "ENOENT") throw error;
}
