import { type BigIntStats, lstatSync, readdirSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { errorCode } from "../backup/error-code.ts";
import { isOurs, isStage } from "../backup/ours.ts";
import { childPath, type PathBytes, systemPath } from "../backup/repository/backup/paths.ts";
import type { FsPath } from "../backup/repository/restore/names.ts";
import { AgentError } from "../errors.ts";
import type { Scope, Standing } from "./scope.ts";

/** Something in the server's folder now. */
export interface PresentEntry {
  /** Relative to the folder, with `/`: for globs and for people. */
  path: string;
  key: string;
  /** Names from the folder down to it. */
  names: readonly Buffer[];
  location: FsPath;
  stats: BigIntStats;
  /** A restore decides about it: what the backup lacks goes. */
  governed: boolean;
  /** The restore may write here, if the backup has something for this place. */
  chosen: boolean;
}

/** Entries that are looked at before others get their turn. */
const SLICE_ENTRIES = 256;

/** By which two places are the same: raw bytes, and on Windows without case. */
export function placeKey(place: FsPath, platform: NodeJS.Platform = process.platform): string {
  if (platform === "win32") return (typeof place === "string" ? place : place.toString("utf8")).replaceAll("\\", "/").toLowerCase();
  return Buffer.from(place as string).toString("latin1");
}

export interface PresentOptions {
  folder: string;
  scope: Scope;
  /** Absolute folders that are left as they are, such as one that backups are stored in. */
  keep: readonly string[];
  signal: AbortSignal;
  platform?: NodeJS.Platform;
}

interface Frame {
  bytes: PathBytes;
  names: readonly Buffer[];
  path: string;
  standing: Standing;
  /** Left as it is, with all that is in it. */
  kept: boolean;
}

/**
 * Everything that is in a server's folder now, each folder before what is in it. Links are never followed, and the folders of restores at work are left
 * out. Nothing when the folder is not there.
 * @throws AgentError `folder-unreadable`: what cannot be looked at cannot be kept safe either
 */
export async function* present({ folder, scope, keep, signal, platform = process.platform }: PresentOptions): AsyncGenerator<PresentEntry> {
  const kept = new Set(keep.flatMap(identityOf));
  const open: Frame[] = [{ bytes: Buffer.from(folder), names: [], path: "", standing: scope.top, kept: false }];
  let looked = 0;
  for (let frame = open.pop(); frame !== undefined; frame = open.pop()) {
    const below: Frame[] = [];
    for (const name of namesIn(frame, platform)) {
      const text = name.toString("utf8");
      if (isStage(text)) continue;
      const bytes = childPath(frame.bytes, name, platform);
      const location = systemPath(bytes, platform);
      const stats = statsOf(location, folder);
      if (stats === null) continue;
      const path = frame.path === "" ? text : `${frame.path}/${text}`;
      const standing = scope.below(frame.standing, path);
      const own = frame.kept || isOurs(text) || kept.has(identity(stats));
      const names = [...frame.names, name];
      const key = placeKey(
        platform === "win32" ? path : Buffer.concat(names.flatMap((one, at) => (at === 0 ? [one] : [SLASH, one]))),
        platform,
      );
      yield { path, key, names, location, stats, governed: !own && scope.governs(standing), chosen: !own && standing.chosen };
      if (stats.isDirectory()) below.push({ bytes, names, path, standing, kept: own });
      looked += 1;
      if (looked % SLICE_ENTRIES === 0) {
        await turn();
        signal.throwIfAborted();
      }
    }
    open.push(...below.reverse());
  }
}

const SLASH = Buffer.from("/");

function namesIn({ bytes, path }: Frame, platform: NodeJS.Platform): Buffer[] {
  try {
    return readdirSync(systemPath(bytes, platform), { encoding: "buffer" }).sort(Buffer.compare);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw unreadable(path, error);
  }
}

/** Null for what has gone meanwhile. */
function statsOf(location: FsPath, folder: string): BigIntStats | null {
  try {
    return lstatSync(location, { bigint: true });
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw unreadable(folder, error);
  }
}

function unreadable(path: string, cause: unknown): AgentError {
  const why = errorCode(cause) ?? String(cause);
  const text = `A restore has to see all that is in the server's folder, and cannot (${why}): ${path === "" ? "the folder itself" : path}. Give the account that runs ReconSync the right to read it. Nothing was changed.`;
  return new AgentError("folder-unreadable", text, { cause });
}

const identity = ({ dev, ino }: BigIntStats) => `${dev}:${ino}`;

function identityOf(folder: string): string[] {
  try {
    return [identity(lstatSync(folder, { bigint: true }))];
  } catch (error) {
    // What is not there cannot be met either.
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
