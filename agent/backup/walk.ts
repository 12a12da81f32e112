import type { BigIntStats } from "node:fs";
import { lstat, readdir, readlink, realpath, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import type { ServerConfig } from "../config/host-config.ts";
import { AgentError, EXIT } from "../errors.ts";
import { errorCode } from "./error-code.ts";
import { createFilter, type PathFilter } from "./globs.ts";
import { type FileLengths, withLengths } from "./lengths.ts";
import { isOurs } from "./ours.ts";
import type { ArchiveStore } from "./stores/store.ts";

/** The parts of a server that decide what is walked. */
export type WalkedServer = Pick<ServerConfig, "id" | "folder"> & { backup: Pick<ServerConfig["backup"], "include" | "exclude"> };

interface Located {
  /** Relative to the server's folder, with `/`. */
  path: string;
  /** Absolute, as this platform writes it. */
  location: string;
  /** Milliseconds since the epoch. */
  mtime: number;
  /** Permission bits. */
  mode: number;
}

export type WalkEntry =
  | ({ type: "file"; bytes: number /** So many bytes of it are complete, says the server. */; length?: number } & Located)
  | ({ type: "directory" } & Located)
  | ({ type: "symlink"; target: string } & Located)
  | MissingEntry;

/** Seen, but not something that can be put into an archive. */
export interface MissingEntry {
  type: "missing";
  path: string;
  reason: "vanished" | "unreadable" | "special";
  detail?: string;
}

export interface WalkOptions {
  /** Its folder is left out, wherever it lies. */
  store?: Pick<ArchiveStore, "folder">;
  signal?: AbortSignal;
  /** What the server said of its files. */
  lengths?: FileLengths;
  platform?: NodeJS.Platform;
}

/** So many `lstat`s run at the same time; more bring nothing, since libuv has 4 threads by default. */
const STATS_AT_ONCE = 16;

const PERMISSION_BITS = 0o7777;
/** Windows has no permission bits: what Node makes up there says nothing, so an archive gets the usual ones. */
const WINDOWS_MODE = { file: 0o644, directory: 0o755, symlink: 0o777 } as const;

interface Walk {
  filter: PathFilter;
  platform: NodeJS.Platform;
  signal: AbortSignal | undefined;
  lengths: FileLengths | undefined;
  /** The folder that archives are written to. */
  destination: { real: string; dev: bigint; ino: bigint } | undefined;
}

/**
 * Everything of a server that its globs want: each folder before its content, names in the order of their bytes, one folder in memory
 * at a time. Symbolic links are reported, never followed. What cannot be archived comes as `missing`; it never ends the walk.
 * Left out are the backup's own destination and unfinished files of ReconSync.
 * @throws AgentError `folder-missing`, `folder-unreadable`, `destination-is-source`
 */
export async function* walk(server: WalkedServer, options: WalkOptions = {}): AsyncGenerator<WalkEntry> {
  const platform = options.platform ?? process.platform;
  const root = await rootOf(server);
  const destination = await destinationOf(options.store?.folder);
  if (destination !== undefined && isDestination(destination, root.real, root.stats)) {
    throw new AgentError(
      "destination-is-source",
      `The backups of ${server.id} would be written into the very folder that is backed up: ${server.folder}. Choose another backup folder.`,
      { exitCode: EXIT.badConfig },
    );
  }
  const { lengths } = options;
  const filter = withLengths(createFilter(server.backup, { ignoreCase: platform === "win32" }), lengths);
  yield* walkFolder({ filter, platform, signal: options.signal, lengths, destination }, root.real, "", root.names, false);
}

async function* walkFolder(run: Walk, location: string, path: string, names: Buffer[], inherited: boolean): AsyncGenerator<WalkEntry> {
  names.sort(Buffer.compare);
  for (let at = 0; at < names.length; at += STATS_AT_ONCE) {
    run.signal?.throwIfAborted();
    const batch = names.slice(at, at + STATS_AT_ONCE).map((name) => inspect(run, location, path, name, inherited));
    for (const found of await Promise.all(batch)) {
      if (found === null) continue;
      if (found.entry.type !== "directory") yield found.entry;
      else yield* descend(run, found.entry, found.included);
    }
  }
}

async function* descend(run: Walk, folder: WalkEntry & { type: "directory" }, included: boolean): AsyncGenerator<WalkEntry> {
  if (included) yield folder;
  let names: Buffer[];
  try {
    names = await readdir(folder.location, { encoding: "buffer" });
  } catch (error) {
    yield missing(folder.path, error);
    return;
  }
  yield* walkFolder(run, folder.location, folder.path, names, included);
}

/** What one name of a folder is, or null when it does not belong into the backup. */
async function inspect(run: Walk, folder: string, folderPath: string, rawName: Buffer, inherited: boolean) {
  const name = rawName.toString("utf8");
  const path = folderPath === "" ? name : `${folderPath}/${name}`;
  if (run.filter.excludes(path) || isOurs(name)) return null;
  const included = inherited || run.filter.includes(path);
  if (!included && !run.filter.mayContain(path)) return null;
  if (Buffer.compare(Buffer.from(name, "utf8"), rawName) !== 0) {
    const detail = `the name is not UTF-8 (bytes ${rawName.toString("hex")}), which an archive cannot carry: rename it`;
    return { entry: { type: "missing", path, reason: "unreadable", detail } satisfies MissingEntry, included };
  }
  const location = join(folder, name);
  try {
    const stats = await lstat(location, { bigint: true });
    if (stats.isDirectory() && run.destination !== undefined && isDestination(run.destination, location, stats)) return null;
    if (!included && !stats.isDirectory()) return null;
    return { entry: await classify(run, path, location, stats), included };
  } catch (error) {
    return included ? { entry: missing(path, error), included } : null;
  }
}

async function classify({ platform, lengths }: Walk, path: string, location: string, stats: BigIntStats): Promise<WalkEntry> {
  const located = (kind: keyof typeof WINDOWS_MODE): Located => ({
    path,
    location,
    mtime: Number(stats.mtimeMs),
    mode: platform === "win32" ? WINDOWS_MODE[kind] : Number(stats.mode) & PERMISSION_BITS,
  });
  if (stats.isFile()) {
    const length = lengths?.of(path);
    const bytes = Math.min(Number(stats.size), length ?? Number.POSITIVE_INFINITY);
    return { type: "file", bytes, ...(length !== undefined && { length }), ...located("file") };
  }
  if (stats.isDirectory()) return { type: "directory", ...located("directory") };
  if (stats.isSymbolicLink()) {
    const target = await readlink(location, { encoding: "buffer" });
    const text = target.toString("utf8");
    if (Buffer.compare(Buffer.from(text, "utf8"), target) !== 0) {
      return { type: "missing", path, reason: "unreadable", detail: "the target of this symbolic link is not UTF-8" };
    }
    return { type: "symlink", target: text, ...located("symlink") };
  }
  return { type: "missing", path, reason: "special", detail: specialKind(stats) };
}

function specialKind(stats: BigIntStats): string {
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return "a device";
  return "neither file, folder nor link";
}

/** Errors that say something about this host, not about the file that was to be opened. */
const HOST_TROUBLE = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/**
 * The record of something that could not be opened.
 * @throws AgentError `host-exhausted` when the file is not to blame, and errors that do not come from the operating system.
 */
export function missing(path: string, error: unknown): MissingEntry {
  const code = errorCode(error);
  if (code === undefined) throw error;
  if (HOST_TROUBLE.has(code)) {
    const text = `The backup stopped, since this host has run out of open files or memory (${code}) at ${path}. Close other programs or raise the limit, then try again.`;
    throw new AgentError("host-exhausted", text, { cause: error });
  }
  if (code === "ENOENT" || code === "ENOTDIR") return { type: "missing", path, reason: "vanished" };
  return { type: "missing", path, reason: "unreadable", detail: code };
}

async function rootOf(server: WalkedServer): Promise<{ real: string; stats: BigIntStats; names: Buffer[] }> {
  try {
    const real = await realpath(server.folder);
    return { real, stats: await stat(real, { bigint: true }), names: await readdir(real, { encoding: "buffer" }) };
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") {
      const text = `The folder of ${server.id} does not exist: ${server.folder}. Correct "folder" in config.yaml, or mount the volume it lies on.`;
      throw new AgentError("folder-missing", text, { cause: error });
    }
    const text = `The folder of ${server.id} cannot be read (${code ?? String(error)}): ${server.folder}. Give the account that runs ReconSync the right to read it.`;
    throw new AgentError("folder-unreadable", text, { cause: error });
  }
}

async function destinationOf(folder: string | undefined): Promise<Walk["destination"]> {
  if (folder === undefined) return undefined;
  try {
    const real = await realpath(folder);
    const { dev, ino } = await stat(real, { bigint: true });
    return { real, dev, ino };
  } catch (error) {
    // What is not there yet cannot be walked into.
    if (errorCode(error) === "ENOENT") return undefined;
    throw new AgentError("store-unreadable", `The backup folder cannot be read: ${folder}. Check its rights.`, { cause: error });
  }
}

/** By real path, and by identity for a folder that is mounted at two places. */
function isDestination(destination: NonNullable<Walk["destination"]>, location: string, stats: BigIntStats): boolean {
  if (relative(destination.real, location) === "") return true;
  return stats.ino !== 0n && stats.ino === destination.ino && stats.dev === destination.dev;
}

export interface ScanResult {
  files: number;
  directories: number;
  symlinks: number;
  /** What a backup would have to record as missing. */
  missing: number;
  /** Size of all files together. */
  bytes: number;
}

/**
 * Counts what a backup of the server would hold.
 * @throws AgentError as `walk` does, and `nothing-to-back-up`: an empty backup must not pass as a success.
 */
export async function scan(server: WalkedServer, store?: Pick<ArchiveStore, "folder">, signal?: AbortSignal): Promise<ScanResult> {
  const result: ScanResult = { files: 0, directories: 0, symlinks: 0, missing: 0, bytes: 0 };
  for await (const entry of walk(server, { store, signal })) {
    if (entry.type === "file") {
      result.files += 1;
      result.bytes += entry.bytes;
    } else if (entry.type === "directory") result.directories += 1;
    else if (entry.type === "symlink") result.symlinks += 1;
    else result.missing += 1;
  }
  if (result.files + result.symlinks === 0) throw nothingToBackUp(server);
  return result;
}

export function nothingToBackUp(server: WalkedServer): AgentError {
  const text = `There is nothing to back up: no readable file in ${server.folder} matches the include and exclude globs of ${server.id}. Correct "folder" or the globs in config.yaml.`;
  return new AgentError("nothing-to-back-up", text);
}
