import { chmodSync, mkdirSync, renameSync, rmdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { randomText } from "../../schemas/index.ts";
import { errorCode } from "../backup/error-code.ts";
import { isStage, stageName } from "../backup/ours.ts";
import { AgentError, EXIT } from "../errors.ts";
import { syncFolder } from "../sync-folder.ts";
import { syncTree } from "./durable.ts";
import { nothingToRestore } from "./in-place.ts";
import type { Extracted, ExtractOptions, RestoreSource } from "./source.ts";

const PRIVATE = 0o700;

export interface ToFolderRequest extends Omit<ExtractOptions, "target"> {
  source: RestoreSource;
  /** A folder that is empty or not there. It has its name only when all is in it. */
  target: string;
}

/**
 * Restores a backup, or a part of it, to a folder of its own. What is damaged stands in it as NAME.reconsync-damaged, and is told.
 * @throws AgentError `restore-target-not-empty`, `restore-target-unwritable`, `restore-no-space`
 */
export async function restoreToFolder({ source, target, ...options }: ToFolderRequest): Promise<Extracted & { place: string }> {
  const place = resolve(target);
  const parent = dirname(place);
  const stage = join(parent, stageName(randomText(16), basename(place)));
  await checkFree(place);
  try {
    mkdirSync(stage, { recursive: true, mode: PRIVATE });
    await removeLeftOf(basename(place), parent, basename(stage));
  } catch (error) {
    throw unwritable(place, error);
  }
  try {
    const extracted = await source.extract({ ...options, target: stage });
    if (extracted.files + extracted.damagedCount === 0) throw nothingToRestore(source.name);
    await syncTree(stage, options.signal);
    options.signal.throwIfAborted();
    chmodSync(stage, PRIVATE);
    await checkFree(place);
    // An empty folder gives way; Windows renames nothing onto it.
    rmdirIfThere(place);
    renameSync(stage, place);
    syncFolder(parent);
    return { ...extracted, place };
  } catch (error) {
    await rm(stage, { recursive: true, force: true });
    throw error;
  }
}

async function checkFree(place: string): Promise<void> {
  try {
    if ((await readdir(place)).length === 0) return;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw unwritable(place, error);
  }
  throw new AgentError("restore-target-not-empty", `The folder ${place} is not empty. Choose a new one; nothing was changed.`, {
    exitCode: EXIT.refused,
  });
}

/** What a restore to the same folder left when it was killed. Whoever calls this holds the server's lock. */
async function removeLeftOf(name: string, parent: string, mine: string): Promise<void> {
  for (const one of await readdir(parent)) {
    if (one !== mine && isStage(one) && one.startsWith(`.${name}.`)) await rm(join(parent, one), { recursive: true, force: true });
  }
}

function rmdirIfThere(place: string): void {
  try {
    rmdirSync(place);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

function unwritable(place: string, cause: unknown): AgentError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AgentError("restore-target-unwritable", `Nothing can be restored to ${place}: ${why}. Choose another folder.`, { cause });
}
