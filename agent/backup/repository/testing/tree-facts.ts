import { createHash } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";

const WINDOW_BYTES = 1024 * 1024;
const MODE_BITS = 0o7777;

export interface EntryFacts {
  /** All but the time, as text. */
  rest: string;
  mtimeNs: bigint;
}

export type TreeFacts = ReadonlyMap<string, EntryFacts>;

/**
 * Node sets times as floating-point seconds, which are that exact, in nanoseconds, until the year 2106.
 */
export const NODE_TIME_NS = 500n;

/**
 * Everything that a restore has to bring back of a folder, by path: kind, mode, owner, time, content, link target. Paths are latin1 text of their bytes, so that names that are not UTF-8
 * stay apart. Hard links show by the first path of the same inode.
 */
export function treeFacts(root: string): TreeFacts {
  const facts = new Map<string, EntryFacts>();
  const inodes = new Map<bigint, string>();
  const look = (folder: Buffer, prefix: string) => {
    for (const name of readdirSync(folder, { encoding: "buffer" }).sort(Buffer.compare)) {
      const location = Buffer.concat([folder, Buffer.from("/"), name]);
      const path = `${prefix}/${name.toString("latin1")}`;
      const stats = lstatSync(location, { bigint: true });
      const common = `${stats.uid}:${stats.gid}`;
      const put = (rest: string) => facts.set(path, { rest, mtimeNs: stats.mtimeNs });
      const mode = (Number(stats.mode) & MODE_BITS).toString(8);
      if (stats.isSymbolicLink()) put(`link ${common} ${readlinkSync(location, { encoding: "buffer" }).toString("hex")}`);
      else if (stats.isDirectory()) {
        put(`folder ${mode} ${common}`);
        look(location, path);
      } else if (stats.isFile()) {
        const linked = stats.nlink > 1n ? ` same as ${inodes.get(stats.ino) ?? path}` : "";
        if (stats.nlink > 1n && !inodes.has(stats.ino)) inodes.set(stats.ino, path);
        put(`file ${mode} ${common} ${stats.size} ${hashOfFile(location)}${linked}`);
      } else put(`special ${mode}`);
    }
  };
  look(Buffer.from(root), "");
  return facts;
}

function hashOfFile(location: Buffer): string {
  const hash = createHash("sha256");
  const window = Buffer.allocUnsafe(WINDOW_BYTES);
  const file = openSync(location, "r");
  try {
    for (let bytes = readSync(file, window); bytes > 0; bytes = readSync(file, window)) hash.update(window.subarray(0, bytes));
  } finally {
    closeSync(file);
  }
  return hash.digest("hex");
}

/** Where two trees differ, as lines; empty when they are the same. Times may be off by `toleranceNs`. */
export function treeDifferences(wanted: TreeFacts, found: TreeFacts, toleranceNs = 0n): string[] {
  const lines: string[] = [];
  for (const [path, facts] of wanted) {
    const other = found.get(path);
    if (other === undefined) lines.push(`${path} is missing`);
    else if (other.rest !== facts.rest) lines.push(`${path} is ${other.rest} instead of ${facts.rest}`);
    else {
      const off = other.mtimeNs - facts.mtimeNs;
      if (off > toleranceNs || -off > toleranceNs) lines.push(`${path} has a time that is off by ${off} ns`);
    }
  }
  for (const path of found.keys()) if (!wanted.has(path)) lines.push(`${path} is too much`);
  return lines;
}
