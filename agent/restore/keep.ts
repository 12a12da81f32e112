import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  symlinkSync,
} from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../backup/error-code.ts";
import { childPath, systemPath } from "../backup/repository/backup/paths.ts";
import { applyLinkMeta, applyMeta, type FileMeta } from "../backup/repository/restore/file-meta.ts";
import type { FsPath } from "../backup/repository/restore/names.ts";
import { AgentError } from "../errors.ts";
import type { Placement } from "./placement.ts";
import { type PresentEntry, placeKey } from "./present.ts";
import type { Stage } from "./stage.ts";
import type { SwapUnit } from "./swap.ts";

const PRIVATE = 0o700;
const PERMISSION_BITS = 0o7777n;
/** File systems that know no second names say so by these. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK", "ENOSYS", "UNKNOWN", "EXDEV"]);

export interface Kept {
  units: SwapUnit[];
  warnings: string[];
}

/**
 * Makes the new tree complete: what a restore does not decide about gets a second name in it, so that it is there before and after. Answers what has
 * to change places.
 * @param now Everything in the server's folder, twice the same.
 * @throws AgentError `restore-path-conflict`
 */
export async function keepTheRest(now: () => AsyncIterable<PresentEntry>, stage: Stage, placement: Placement): Promise<Kept> {
  const keeper = new Keeper(stage);
  const touched = placement.kind === "beside" ? null : await touchedNames(now(), stage);
  for await (const entry of now()) {
    if (touched === null || touched.has(topOf(entry))) keeper.keep(entry);
  }
  if (placement.kind === "beside" && placement.there) keeper.finishTop(placement.folder);
  keeper.finish();
  return {
    units: placement.kind === "beside" ? [wholeFolder(placement, stage)] : await unitsInside(placement, stage, touched ?? new Map()),
    warnings: keeper.warnings,
  };
}

function wholeFolder({ folder, there }: Placement, { fresh, old }: Stage): SwapUnit {
  return { live: folder, staged: fresh, old: there ? join(old, "folder") : null };
}

/** Names in the server's folder that change, or are in the backup, by their key. The value tells whether something is there now. */
async function touchedNames(now: AsyncIterable<PresentEntry>, { fresh }: Stage): Promise<Map<string, { name: Buffer; there: boolean }>> {
  const names = new Map<string, { name: Buffer; there: boolean }>();
  for (const name of await readdir(fresh, { encoding: "buffer" })) names.set(placeKey(name), { name, there: false });
  for await (const entry of now) {
    const [name] = entry.names;
    const key = topOf(entry);
    const known = names.get(key);
    if (known !== undefined) known.there = true;
    else if (entry.governed && name !== undefined) names.set(key, { name, there: true });
  }
  return names;
}

/** A name that is not UTF-8 cannot be written down in the journal: it is refused before anything changes. */
async function unitsInside(
  { folder }: Placement,
  { fresh, old }: Stage,
  touched: ReadonlyMap<string, { name: Buffer; there: boolean }>,
): Promise<SwapUnit[]> {
  const fresher = new Set((await readdir(fresh, { encoding: "buffer" })).map((name) => placeKey(name)));
  return [...touched].map(([key, { name, there }]) => {
    const text = name.toString("utf8");
    if (Buffer.compare(Buffer.from(text, "utf8"), name) !== 0) {
      throw conflict(`the name ${JSON.stringify(text)} in the server's folder is not UTF-8: rename it`);
    }
    return { live: join(folder, text), staged: fresher.has(key) ? join(fresh, text) : null, old: there ? join(old, text) : null };
  });
}

function topOf({ names }: PresentEntry): string {
  return placeKey(names[0] ?? Buffer.alloc(0));
}

class Keeper {
  readonly warnings: string[] = [];
  readonly #stage: Stage;
  /** Folders that are made here, and get their times last. */
  readonly #made: { location: FsPath; stats: BigIntStats }[] = [];
  /** Folders on the way to an entry, by their place. */
  readonly #folders = new Map<string, BigIntStats>();
  #renamed = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  keep(entry: PresentEntry): void {
    const { stats, governed, names } = entry;
    if (stats.isDirectory()) this.#folders.set(keyOf(names), stats);
    if (governed) return;
    if (!stats.isDirectory()) {
      this.#folder(names.slice(0, -1), entry.path);
      this.#second(entry);
      return;
    }
    this.#folder(names, entry.path);
    // The backup may have brought files for it: the folder itself is as it was all the same.
    this.#made.push({ location: this.#place(names), stats });
  }

  /** The new folder looks like the one that it replaces. */
  finishTop(folder: string): void {
    this.#made.push({ location: this.#stage.fresh, stats: lstatSync(folder, { bigint: true }) });
  }

  finish(): void {
    for (const { location, stats } of this.#made.reverse()) {
      if (process.platform === "win32") continue;
      const fd = openSync(location, "r");
      try {
        applyMeta(fd, metaOf(stats));
      } finally {
        closeSync(fd);
      }
    }
    if (this.#renamed > 0) {
      this.warnings.push(
        `${this.#renamed} files that the config leaves out of backups are in this one all the same. They were restored; those of before stand beside them as NAME.before-restore.`,
      );
    }
  }

  /** A folder in the new tree, with all that it is in. Those that the backup brought stay as it says. */
  #folder(names: readonly Buffer[], path: string): void {
    for (let depth = 1; depth <= names.length; depth += 1) {
      const some = names.slice(0, depth);
      const location = this.#place(some);
      try {
        mkdirSync(location, { mode: PRIVATE });
      } catch (error) {
        if (errorCode(error) !== "EEXIST") throw error;
        if (!lstatSync(location).isDirectory()) throw conflict(`${path} is kept, and the backup has a file where one of its folders is`);
        continue;
      }
      const stats = this.#folders.get(keyOf(some));
      if (stats !== undefined) this.#made.push({ location, stats });
    }
  }

  #second({ names, location, stats, path }: PresentEntry): void {
    const place = this.#place(names);
    try {
      secondName(location, place, stats);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
      if (lstatSync(place).isDirectory()) throw conflict(`${path} is kept, and the backup has a folder in its place`);
      // The backup has it, and it is not among what is backed up now: nothing of it may be lost.
      const last = names.at(-1) ?? Buffer.alloc(0);
      secondName(location, this.#place([...names.slice(0, -1), Buffer.concat([last, BEFORE])]), stats);
      this.#renamed += 1;
    }
  }

  #place(names: readonly Buffer[]): FsPath {
    return systemPath(names.reduce((folder, name) => childPath(folder, name), Buffer.from(this.#stage.fresh)));
  }
}

const BEFORE = Buffer.from(".before-restore");

function keyOf(names: readonly Buffer[]): string {
  return names.map((name) => name.toString("latin1")).join("/");
}

/** The same file under another name; a copy where the file system knows no second names. */
function secondName(from: FsPath, to: FsPath, stats: BigIntStats): void {
  try {
    linkSync(from, to);
    return;
  } catch (error) {
    if (!NO_LINKS.has(errorCode(error) ?? "")) throw error;
  }
  if (stats.isSymbolicLink()) {
    symlinkSync(readlinkSync(from, { encoding: "buffer" }), to);
    applyLinkMeta(to, metaOf(stats));
  } else if (stats.isFile()) {
    copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const fd = openSync(to, "r+");
    try {
      applyMeta(fd, metaOf(stats));
    } finally {
      closeSync(fd);
    }
  }
}

function metaOf(stats: BigIntStats): FileMeta {
  const time = (ns: bigint) => String(Number(ns) / 1e9);
  const owner = process.getuid?.() === 0 ? { uid: Number(stats.uid), gid: Number(stats.gid) } : undefined;
  return { mode: Number(stats.mode & PERMISSION_BITS), owner, atime: time(stats.atimeNs), mtime: time(stats.mtimeNs) };
}

function conflict(why: string): AgentError {
  return new AgentError(
    "restore-path-conflict",
    `Nothing was changed: ${why}. Restore to a folder of its own instead, and take from it what you need.`,
  );
}
