import { stat, statfs } from "node:fs/promises";
import path from "node:path";

/** Space on the volume that a folder is on. `device` tells volumes apart. */
export interface DiskSpace {
  freeBytes: number;
  totalBytes: number;
  device: bigint;
}

/**
 * Space on the volume of a folder; of a folder that is not there yet, the volume it would be made on.
 * `freeBytes` is what this account may use.
 */
export async function diskOf(folder: string): Promise<DiskSpace> {
  const existing = await nearestExisting(folder);
  const [{ bavail, blocks, bsize }, { dev }] = await Promise.all([statfs(existing, { bigint: true }), stat(existing, { bigint: true })]);
  return { freeBytes: Number(bavail * bsize), totalBytes: Number(blocks * bsize), device: dev };
}

async function nearestExisting(folder: string): Promise<string> {
  for (let here = path.resolve(folder); ; here = path.dirname(here)) {
    try {
      await stat(here);
      return here;
    } catch (error) {
      const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!missing || here === path.dirname(here)) throw error;
    }
  }
}
