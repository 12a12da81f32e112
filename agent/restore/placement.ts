import { accessSync, constants, lstatSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { errorCode } from "../backup/error-code.ts";
import { stageName } from "../backup/ours.ts";
import { isWithin } from "../backup/repository/backup/paths.ts";

/**
 * Where a restore is made ready. `beside`: next to the server's folder, which then changes places with it in one step. `inside`: within it, where the
 * folder itself cannot be moved; then each name in it changes places.
 */
export interface Placement {
  kind: "beside" | "inside";
  /** The server's folder, without links on the way. */
  folder: string;
  /** Whether it is there. */
  there: boolean;
  stage: string;
}

/** What decides where a restore is made ready. */
export interface Surroundings {
  /** Where something is mounted. */
  mounts: readonly string[];
  /** Files and folders of ReconSync itself: its database, the folders of its stores. */
  ours: readonly string[];
  /** Names can be made and renamed in this folder. */
  writable: (folder: string) => boolean;
  /** Both lie on the same volume. */
  sameVolume: (a: string, b: string) => boolean;
  platform?: NodeJS.Platform;
}

/** The choice itself. A folder that something is mounted at, or in, stays where it is, and so does one that holds what ReconSync works with. */
export function choosePlacement(folder: string, there: boolean, id: string, around: Surroundings): Placement {
  const { mounts, ours, writable, sameVolume, platform = process.platform } = around;
  const parent = dirname(folder);
  const fixed =
    parent === folder ||
    (there &&
      (mounts.some((mount) => isWithin(mount, folder, platform)) ||
        ours.some((path) => isWithin(path, folder, platform)) ||
        !sameVolume(folder, parent) ||
        !writable(parent)));
  if (fixed) return { kind: "inside", folder, there, stage: join(folder, stageName(id)) };
  return { kind: "beside", folder, there, stage: join(parent, stageName(id, basename(folder))) };
}

/** Looks at the host. `ours`: as in `Surroundings`. */
export function placementOf(configured: string, id: string, ours: readonly string[]): Placement {
  const { folder, there } = realFolder(configured);
  return choosePlacement(folder, there, id, {
    mounts: mountPoints(),
    ours: ours.map((path) => realFolder(path).folder),
    writable: isWritable,
    sameVolume: (a, b) => lstatSync(a).dev === lstatSync(b).dev,
  });
}

function realFolder(path: string): { folder: string; there: boolean } {
  try {
    return { folder: realpathSync(path), there: true };
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    return { folder: resolve(path), there: false };
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    // Whatever keeps us from writing there: the other way needs no right to it.
    return false;
  }
}

/** Where this process sees something mounted. Linux tells; elsewhere a volume tells by its number. */
function mountPoints(): string[] {
  if (process.platform !== "linux") return [];
  return parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** Field 5 of each line of mountinfo (proc(5)), where spaces and the like stand as three octal digits. */
export function parseMountInfo(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.split(" ")[4])
    .filter((point): point is string => point !== undefined)
    .map((point) => point.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))));
}
