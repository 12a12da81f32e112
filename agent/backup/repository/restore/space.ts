import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { AgentError } from "../../../errors.ts";
import { errorCode } from "../../error-code.ts";

const MIB = 1024 * 1024;

/** Free bytes on the volume of a folder that may not be there yet. */
export async function freeSpace(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    const parent = dirname(folder);
    if (errorCode(error) !== "ENOENT" || parent === folder) throw error;
    return freeSpace(parent);
  }
}

/**
 * Looks whether a volume has room before anything is written.
 * @throws AgentError `restore-no-space`
 */
export async function checkSpace(target: string, needed: number): Promise<void> {
  const free = await freeSpace(target);
  if (free < needed) {
    throw noSpace(target, `It has ${mib(free)} MiB free, and ${mib(needed)} MiB are needed. Nothing was written.`);
  }
}

/** The error for a volume that ran full while it was written. */
export function ranFull(target: string, cause: unknown): AgentError {
  return noSpace(target, "It ran full while files were written; those that are whole stay.", cause);
}

/** Codes that say that a volume or a quota is full. */
export function isFull(code: string | undefined): boolean {
  return code === "ENOSPC" || code === "EDQUOT";
}

function noSpace(target: string, what: string, cause?: unknown): AgentError {
  const text = `The volume of ${target} has too little space for the restore. ${what} Free some space, restore to another volume, or restore only a part with --include.`;
  return new AgentError("restore-no-space", text, { cause });
}

const mib = (bytes: number) => Math.ceil(bytes / MIB);
