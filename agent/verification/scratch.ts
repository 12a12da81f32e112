import { randomBytes } from "node:crypto";
import { chmod, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode } from "../backup/error-code.ts";
import type { ServerConfig } from "../config/host-config.ts";
import type { Logger } from "../logger.ts";
import type { Lock } from "../state/lock.ts";
import { takeLock, verificationLockFile } from "../state/lock.ts";
import type { AgentState } from "../state/state.ts";

/** Windows holds on to files that a virus scanner looks at: removing is tried so often. */
const REMOVE_TRIES = 5;

/** Where drills of a server restore when the config does not say. */
export function scratchFolderOf({ verify }: Pick<ServerConfig, "verify">, stateFile: string): string {
  return verify.scratch ?? join(dirname(stateFile), "drills");
}

/** Held while backups of a server are verified, by the daemon or by hand. Undefined while somebody else holds it. */
export function lockVerification(stateFile: string, server: string): Lock | undefined {
  return takeLock(verificationLockFile(stateFile, server));
}

/**
 * Does work in a new folder of its own, which nobody else may look into, and removes it. That it was made stands in the state before it is, so that it goes
 * also when this process is killed: see `removeLeftovers`. Whoever calls it holds the drill's lock.
 */
export async function inScratchFolder<T>(
  parent: string,
  server: string,
  { state, now, log }: { state: Pick<AgentState, "verifications">; now: number; log: Logger },
  work: (folder: string) => Promise<T>,
): Promise<T> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const folder = join(parent, `reconsync-drill-${server}-${randomBytes(6).toString("hex")}`);
  state.verifications.drillBegins(folder, server, now);
  try {
    await mkdir(folder, { mode: 0o700 });
    return await work(folder);
  } finally {
    await removeJournaled(folder, state, log);
  }
}

/** Removes what drills have left behind that were killed. A drill that somebody runs right now is left alone. */
export async function removeLeftovers(stateFile: string, state: Pick<AgentState, "verifications">, log: Logger): Promise<void> {
  for (const { folder, server } of state.verifications.drillFolders()) {
    const lock = lockVerification(stateFile, server);
    if (lock === undefined) continue;
    try {
      if (await removeJournaled(folder, state, log)) log.info({ server, folder }, "removed what an interrupted restore drill left behind");
    } finally {
      lock.release();
    }
  }
}

/** One that cannot be removed stays in the state and is tried again at the next start and after the next drill. */
async function removeJournaled(folder: string, state: Pick<AgentState, "verifications">, log: Logger): Promise<boolean> {
  try {
    await removeTree(folder);
    state.verifications.drillEnded(folder);
    return true;
  } catch (error) {
    log.warn({ folder, err: error }, "the scratch folder of a restore drill cannot be removed; it is tried again later");
    return false;
  }
}

/** Removes a folder with all that is in it, also folders that a backup has made read-only. Links are removed and not followed. */
export async function removeTree(folder: string): Promise<void> {
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: REMOVE_TRIES });
  try {
    await remove();
  } catch (error) {
    if (errorCode(error) !== "EACCES" && errorCode(error) !== "EPERM") throw error;
    await openFolders(folder);
    await remove();
  }
}

async function openFolders(folder: string): Promise<void> {
  const stats = await lstat(folder);
  if (!stats.isDirectory()) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await openFolders(join(folder, entry.name));
}
