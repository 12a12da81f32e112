import { lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { AgentError, EXIT } from "../../../errors.ts";
import { errorCode } from "../../error-code.ts";
import type { FsPath } from "./names.ts";
import type { RestoreProblems } from "./problems.ts";
import type { FolderWork } from "./work.ts";

/** Nobody else looks into a folder before it has its own mode. */
const PRIVATE = 0o700;

/**
 * Makes the folder that everything goes to.
 * @throws AgentError `restore-target-not-empty`, `restore-target-unwritable`
 */
export async function prepareTarget(target: string, overwrite: boolean): Promise<void> {
  try {
    await mkdir(target, { recursive: true });
    const [entry] = await readdir(target);
    if (entry === undefined || overwrite) return;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AgentError("restore-target-unwritable", `Nothing can be restored to ${target}: ${why}. Choose another folder.`, {
      cause: error,
    });
  }
  const text = `The folder ${target} is not empty. Choose a new one, or give --overwrite to replace the files in it that the snapshot has too.`;
  throw new AgentError("restore-target-not-empty", text, { exitCode: EXIT.refused });
}

/** Makes a planned folder, unless the one that it is in failed. */
export function madeFolder(folder: FolderWork, overwrite: boolean, problems: RestoreProblems): boolean {
  folder.state = "failed";
  if (folder.parent?.state === "failed") return false;
  try {
    makeFolder(folder.location, overwrite);
  } catch (error) {
    problems.add(folder.path, "unwritable", error instanceof Error ? error.message : String(error));
    return false;
  }
  folder.state = "made";
  return true;
}

/** Makes a folder, or takes one that is there. With `overwrite`, a file or link in its place goes: never is anything written through a link. */
function makeFolder(location: FsPath, overwrite: boolean): void {
  try {
    mkdirSync(location, { mode: PRIVATE });
  } catch (error) {
    if (errorCode(error) !== "EEXIST" || !overwrite) throw error;
    if (lstatSync(location).isDirectory()) return;
    unlinkSync(location);
    mkdirSync(location, { mode: PRIVATE });
  }
}

/** Makes a link by `make`; with `overwrite`, in place of what is there, unless that is a folder. */
export function makeLink(location: FsPath, overwrite: boolean, make: () => void): void {
  try {
    make();
  } catch (error) {
    if (errorCode(error) !== "EEXIST" || !overwrite || lstatSync(location).isDirectory()) throw error;
    unlinkSync(location);
    make();
  }
}
