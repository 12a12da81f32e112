import { closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { copyFile, open, stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { LOG_BYTES_MAX, makeRoom } from "../service/rotating-file.ts";

/**
 * What a game server prints. It writes to the file itself and not through the agent, so that it neither ends nor hangs when the agent does.
 * Nobody can move a file away from under it: what has grown too large is copied to `FILE.1` and emptied. Lines that come in that moment
 * are lost.
 */

/** How often files are looked at that servers write, in milliseconds. */
const LOOK_MS = 60_000;
/** So much of the end of an output goes into an error, in bytes. */
const TAIL_BYTES = 600;

/** Opens it for a program that is started; the caller closes. `size`: bytes before anything of that program is in it. */
export function openOutputLog(file: string, max = LOG_BYTES_MAX): { handle: number; size: number; close: () => void } {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  let size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > max) {
    makeRoom(file);
    renameSync(file, `${file}.1`);
    size = 0;
  }
  const handle = openSync(file, "a", 0o600);
  return { handle, size, close: () => closeSync(handle) };
}

/** Keeps one that is being written below its cap. Whether it was emptied. */
export async function trimOutputLog(file: string, max = LOG_BYTES_MAX): Promise<boolean> {
  const size = await sizeOf(file);
  if (size <= max) return false;
  const copy = `${file}.copy`;
  await copyFile(file, copy);
  makeRoom(file);
  renameSync(copy, `${file}.1`);
  // Whoever writes has opened it to append: the next line is written at the new end.
  await truncate(file, 0);
  return true;
}

/** The last lines that were written behind `from`, on one line; empty when there are none. */
export async function tailOf(file: string, from: number): Promise<string> {
  const size = await sizeOf(file);
  const start = Math.max(from, size - TAIL_BYTES);
  if (size <= start) return "";
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    return oneLine(buffer.subarray(0, bytesRead).toString("utf8"));
  } finally {
    await handle.close();
  }
}

/** Text of a program, fit to stand in a message. */
export function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .slice(-TAIL_BYTES / 2);
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  }
}

export interface TendOptions {
  /** Those of the config in force. */
  servers: () => readonly Pick<ServerConfig, "id" | "control">[];
  clock: Clock;
  /** A file could not be looked at or emptied; it is tried again. */
  onError: (server: string, error: unknown) => void;
}

/** Keeps what all servers print below its cap, until the signal fires. */
export async function tendOutputLogs({ servers, clock, onError }: TendOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { id, control } of servers()) {
      if (control?.type !== "process" && control?.type !== "commands") continue;
      await trimOutputLog(control.logFile).catch((error: unknown) => onError(id, error));
    }
    await clock.sleep(LOOK_MS, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
