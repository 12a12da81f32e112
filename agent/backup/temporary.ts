import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../logger.ts";
import { storeError } from "./stores/file-body.ts";

const PREFIX = "reconsync-backup-";
/** A folder that is older was left by a process that was killed: no backup runs longer than a job may (26 hours at most). */
export const TEMPORARY_LIFE_MS = 48 * 60 * 60_000;

/**
 * Makes a folder for what a backup has to keep aside, and removes those that killed runs left there.
 * @throws AgentError `disk-full`, `store-unwritable`
 */
export async function makeTemporary(parent: string, now: number, log: Logger): Promise<string> {
  try {
    for (const name of await readdir(parent)) {
      if (name.startsWith(PREFIX)) await removeStale(join(parent, name), now, log);
    }
    return await mkdtemp(join(parent, PREFIX));
  } catch (error) {
    throw storeError(error, parent);
  }
}

/** Somebody else's cannot be removed, which is no reason not to make a backup. */
async function removeStale(path: string, now: number, log: Logger): Promise<void> {
  try {
    const stats = await lstat(path);
    if (stats.isDirectory() && now - stats.mtimeMs > TEMPORARY_LIFE_MS) await rm(path, { recursive: true, force: true });
  } catch (error) {
    log.debug({ path, err: error }, "an old temporary folder stays");
  }
}
