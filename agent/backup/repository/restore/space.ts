import { statfs } from "node:fs/promises";
import { AgentError } from "../../../errors.ts";

const MIB = 1024 * 1024;

/**
 * Looks whether a volume has room before anything is written.
 * @throws AgentError `restore-no-space`
 */
export async function checkSpace(target: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(target);
  const free = bavail * bsize;
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
