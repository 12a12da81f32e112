import { lstat } from "node:fs/promises";
import type { FileLengths } from "../backup/lengths.ts";
import { walk } from "../backup/walk.ts";
import type { ServerConfig } from "../config/host-config.ts";

/** Whether `path` was touched is asked of files that a backup holds. */
export interface Touched {
  count: number;
  /** The first one, relative to the server's folder. */
  first?: string;
}

/**
 * File times lag behind the clock by a tick (up to 10 ms on Linux, 15.6 ms on Windows): whoever asks for changes since a moment lets so much time
 * pass between that moment and what it cares for. In milliseconds.
 */
export const TICK_MS = 20;

/**
 * Files of a server that were made, written or renamed at `since` or later, by their times; programs cannot set the second one (ctime). Where the
 * server said how much of a file is complete, what is appended to it does not count. The files must be on a disk that keeps this host's time.
 * @param most Stops after so many.
 */
export async function touchedSince(
  server: ServerConfig,
  since: number,
  { lengths, signal, most = Number.POSITIVE_INFINITY }: { lengths?: FileLengths; signal: AbortSignal; most?: number },
): Promise<Touched> {
  const touched: Touched = { count: 0 };
  const { store } = server.backup;
  for await (const entry of walk(server, { store: store.type === "local" ? store : undefined, signal, lengths })) {
    if (entry.type !== "file" || entry.length !== undefined) continue;
    const changed = entry.mtime >= since || (await changedAt(entry.location)) >= since;
    if (!changed) continue;
    touched.count += 1;
    touched.first ??= entry.path;
    if (touched.count >= most) break;
  }
  return touched;
}

/** A file that has gone since it was seen was changed just now. */
async function changedAt(location: string): Promise<number> {
  const stats = await lstat(location).catch(() => undefined);
  return stats === undefined ? Number.POSITIVE_INFINITY : stats.ctimeMs;
}
