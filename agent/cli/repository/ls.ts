import type { TreeNode } from "../../backup/repository/format/tree.ts";
import { type ListedEntry, ls } from "../../backup/repository/list/ls.ts";
import { type Io, printLine } from "../io.ts";
import { withRepository } from "./open.ts";
import type { RepositoryOptions } from "./options.ts";
import { type FilterOptions, filterOf } from "./snapshots.ts";

export interface LsOptions extends RepositoryOptions, FilterOptions {
  recursive?: boolean;
}

/** `reconsync repository ls SNAPSHOT [PATH]`; with `--json` one object a line. */
export function lsCommand(name: string, path: string | undefined, options: LsOptions, io: Io): Promise<void> {
  return withRepository(options, io, async (repository, { signal }) => {
    const snapshot = await repository.findSnapshot(name, filterOf(options), signal);
    await repository.loadIndex(signal);
    const recursive = options.recursive === true;
    for await (const entry of ls(repository, snapshot, path, { recursive, signal })) {
      printLine(io.out, options.json === true ? JSON.stringify(factsOf(entry)) : lineOf(entry));
    }
  });
}

const NS_PER_MS = 1_000_000n;

function factsOf({ path, bytes, node }: ListedEntry) {
  const { type, mode, mtimeNs, size, uid, gid, linkTarget } = node;
  return {
    path,
    // Where the name is not UTF-8, `path` cannot say which.
    ...(Buffer.from(path.slice(1)).equals(bytes) ? {} : { pathHex: bytes.toString("hex") }),
    type,
    mode: mode.toString(8).padStart(4, "0"),
    uid,
    gid,
    mtime: timeOf(node),
    mtimeNs: String(mtimeNs),
    ...(size === undefined ? {} : { bytes: Number(size) }),
    ...(linkTarget === undefined ? {} : { linkTarget: linkTarget.toString() }),
  };
}

const LETTERS: Record<TreeNode["type"], string> = { file: "-", dir: "d", symlink: "l", dev: "b", chardev: "c", fifo: "p", socket: "s" };
const SIZE_WIDTH = 13;

function lineOf({ path, node }: ListedEntry): string {
  const { type, mode, size, linkTarget } = node;
  const arrow = linkTarget === undefined ? "" : ` -> ${printable(linkTarget.toString())}`;
  return `${LETTERS[type]}${mode.toString(8).padStart(4, "0")} ${String(size ?? "").padStart(SIZE_WIDTH)} ${timeOf(node).slice(0, 19).replace("T", " ")} ${printable(path)}${arrow}`;
}

/** Times before 0001 and after 275760 are no dates. */
function timeOf({ mtimeNs }: TreeNode): string {
  const date = new Date(Number(mtimeNs / NS_PER_MS));
  return Number.isNaN(date.getTime()) ? `${mtimeNs} ns` : date.toISOString();
}

/** Control characters, line ends, and marks that turn the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** A name could hold what a terminal obeys. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
