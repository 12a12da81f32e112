import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../backup/error-code.ts";
import { streamLarge } from "../backup/read-file.ts";
import { type WalkEntry, walk } from "../backup/walk.ts";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { stateError } from "../state/sqlite.ts";
import { ContentFile, type RememberedBackup } from "./content-file.ts";
import { contentFileOf, forgetContent, statOf, storeKey, TICK_MAX_MS } from "./content-memory.ts";

/** Asking for a backup in R2 may take so long, in milliseconds. */
const ASK_TIMEOUT_MS = 15_000;
/** Files are read in pieces of this size, in bytes. */
const READ_BYTES = 256 * 1024;

export interface UnchangedDeps {
  stateFile: string;
  plane: ControlPlane;
  clock: Clock;
  log: Logger;
}

/**
 * Whether a backup made now would hold the same content as the last one of this server, which is still there. It does when the walk finds the
 * same paths, types, sizes and link targets, and every file the same bytes. Files that nobody has touched, as far as size, times and inode
 * tell, are not read. Without a memory of the last backup the answer is no. Whoever calls it holds the server's lock.
 */
export async function isUnchanged(server: ServerConfig, deps: UnchangedDeps, signal: AbortSignal): Promise<boolean> {
  const { stateFile, log } = deps;
  const file = contentFileOf(stateFile, server.id);
  if (!(await exists(file))) return false;
  let content: ContentFile | undefined;
  try {
    content = ContentFile.open(file);
    const backup = content?.backup;
    if (content === undefined || backup === undefined || backup.store !== storeKey(server.backup.store)) return false;
    if (!(await isStillThere(server, backup, deps, signal))) return false;
    if (!(await sameShape(server, content, signal)) || !(await sameBytes(server, content, deps, signal))) return false;
    content.finish();
    return true;
  } catch (error) {
    const known = stateError(error, file);
    // What SQLite has to say of this file matters to nobody: it is made anew with the next backup.
    if (known === error) throw error;
    log.warn({ server: server.id, err: known }, "the memory of the last backup cannot be read; a backup is made");
    content?.discard();
    content = undefined;
    forgetContent(server.id, deps);
    return false;
  } finally {
    content?.discard();
  }
}

/** Compares what the walk finds with what is remembered, and notes which files have to be read. */
async function sameShape(server: ServerConfig, content: ContentFile, signal: AbortSignal): Promise<boolean> {
  const { store } = server.backup;
  let found = 0;
  for await (const entry of walk(server, { store: store.type === "local" ? store : undefined, signal })) {
    found += 1;
    if (!(await isAsRemembered(entry, content))) return false;
  }
  return found === content.count;
}

async function isAsRemembered(entry: WalkEntry, content: ContentFile): Promise<boolean> {
  const known = content.get(entry.path);
  if (known === undefined) return false;
  switch (entry.type) {
    case "file": {
      if (known.type !== "file" || known.bytes !== entry.bytes) return false;
      if (known.stat === null || known.stat !== (await statNow(entry.location))) content.suspect(entry.path);
      return true;
    }
    case "directory":
      return known.type === "directory";
    case "symlink":
      return known.type === "symlink" && known.target === entry.target;
    case "missing":
      return entry.reason === "special" && known.type === "special";
  }
}

async function statNow(location: string): Promise<string | undefined> {
  try {
    return statOf(await lstat(location, { bigint: true }));
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Reads the files that somebody may have touched, until one differs. */
async function sameBytes(server: ServerConfig, content: ContentFile, { clock }: UnchangedDeps, signal: AbortSignal): Promise<boolean> {
  for (let path = content.nextSuspect(); path !== undefined; path = content.nextSuspect()) {
    signal.throwIfAborted();
    const read = await hashOf(join(server.folder, path), clock, signal);
    if (read === undefined || read.sha256 !== content.get(path)?.sha256) return false;
    content.clear(path, read.stat);
  }
  return true;
}

/** Undefined when the file cannot be read, or changes under the reader. */
async function hashOf(location: string, clock: Clock, signal: AbortSignal): Promise<{ sha256: string; stat: string | null } | undefined> {
  try {
    const file = await streamLarge(location, { clock, signal });
    const memory = Buffer.allocUnsafe(READ_BYTES);
    try {
      while ((await file.read(memory)) > 0) signal.throwIfAborted();
      const { sha256, torn } = file.outcome();
      const settled = Number(file.stats.ctimeMs) < clock.now() - TICK_MAX_MS;
      return torn === undefined ? { sha256, stat: settled ? statOf(file.stats) : null } : undefined;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (signal.aborted || errorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** A backup that somebody has removed, or that never arrived, is no reason to leave one out. */
async function isStillThere(server: ServerConfig, backup: RememberedBackup, deps: UnchangedDeps, signal: AbortSignal): Promise<boolean> {
  const { store } = server.backup;
  if (store.type === "local") {
    const size = await sizeOf(join(store.folder, backup.archive));
    return size === backup.bytes;
  }
  if (backup.upload === null) return false;
  try {
    const path = `/v1/archives/${backup.upload}/manifest`;
    const response = await deps.plane.send({ method: "GET", path, signal, timeoutMs: ASK_TIMEOUT_MS });
    await response.body?.cancel();
    return response.ok || response.status === 429 || response.status >= 500;
  } catch (error) {
    // While the control plane is away there is no way to back up to R2 either.
    if (!(error instanceof AgentError)) throw error;
    signal.throwIfAborted();
    return true;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return (await sizeOf(path)) !== undefined;
}
