import type { BackupRef } from "../../schemas/index.ts";
import { SHORT_ID_DIGITS } from "../../schemas/index.ts";
import { nestedFolders } from "../backup/repository/backup/paths.ts";
import type { CorruptError } from "../backup/repository/format/corrupt.ts";
import type { Snapshot } from "../backup/repository/format/snapshot.ts";
import type { NodeType, TreeNode } from "../backup/repository/format/tree.ts";
import { findNode, namesOf } from "../backup/repository/list/find-node.ts";
import { joinBytes } from "../backup/repository/list/walk-tree.ts";
import { withLock } from "../backup/repository/locks/with-lock.ts";
import type { Repository } from "../backup/repository/repository.ts";
import type { FsPath } from "../backup/repository/restore/names.ts";
import { restore } from "../backup/repository/restore/run.ts";
import { walkTarget } from "../backup/repository/restore/target-walk.ts";
import { timeNs } from "../backup/repository/snapshots.ts";
import { AgentError } from "../errors.ts";
import { type Extracted, type ExtractOptions, type RestoreSource, type SourceEntry, TOLD_MAX } from "./source.ts";

const TYPES: Record<NodeType, SourceEntry["type"]> = {
  file: "file",
  dir: "directory",
  symlink: "symlink",
  dev: "special",
  chardev: "special",
  fifo: "special",
  socket: "special",
};
const NS_PER_MS = 1_000_000n;

/** Problems of a restore that leave a file without what the backup says. */
const DAMAGE: ReadonlySet<string> = new Set(["damaged", "unwritable", "size"]);

export interface SnapshotSourceDeps {
  repository: Repository;
  snapshot: Snapshot;
  /** Closes the store. */
  close: () => Promise<void>;
  platform?: NodeJS.Platform;
}

/** A snapshot. `repository.loadIndex` runs here, when it is needed first. */
export class SnapshotSource implements RestoreSource {
  readonly ref: BackupRef;
  readonly name: string;
  readonly madeAt: number;
  readonly torn: boolean;
  readonly #repository: Repository;
  readonly #snapshot: Snapshot;
  readonly #close: () => Promise<void>;
  readonly #platform: NodeJS.Platform;
  /** The server's folder in the snapshot: it may have lain elsewhere when it was backed up. */
  readonly #from: string;

  constructor({ repository, snapshot, close, platform = process.platform }: SnapshotSourceDeps) {
    this.ref = { format: "repository", snapshot: snapshot.id };
    this.name = `snapshot ${snapshot.id.slice(0, SHORT_ID_DIGITS)}`;
    this.madeAt = Number(timeNs(snapshot.time) / NS_PER_MS);
    this.torn = snapshot.tags?.includes("reconsync:consistency=torn") === true;
    this.#repository = repository;
    this.#snapshot = snapshot;
    this.#close = close;
    this.#platform = platform;
    this.#from = folderIn(snapshot);
  }

  async *entries(signal: AbortSignal): AsyncGenerator<SourceEntry> {
    const { tree, prefix } = await this.#top(signal);
    const onDamaged = (_path: Buffer, error: CorruptError) => {
      throw damaged(this.name, [error.message]);
    };
    const from = prefix.length === 0 ? 0 : prefix.length + 1;
    const options = { target: "", tree, prefix, platform: this.#platform, signal };
    for await (const { path, node, location } of walkTarget(this.#repository, options, { onDamaged })) {
      const place: FsPath = typeof location === "string" ? location.slice(1) : location.subarray(1);
      const file = node.type === "file";
      yield {
        path: path.subarray(from).toString("utf8"),
        place,
        type: TYPES[node.type],
        bytes: file ? Number(node.size ?? 0n) : 0,
        mtimeMs: Number(node.mtimeNs) / 1e6,
      };
    }
  }

  async extract({ target, paths, report, signal }: ExtractOptions): Promise<Extracted> {
    const repository = this.#repository;
    const found = await withLock(repository, "shared", { signal, readsFirst: true }, async (locked, mayWrite) => {
      await repository.loadIndex(locked);
      return restore(repository, this.#snapshot, {
        target,
        from: this.#from,
        include: paths?.map((glob) => this.#inSnapshot(glob)),
        mayWrite,
        report: ({ bytesDone, bytesTotal }) => report({ done: bytesDone, total: bytesTotal }),
        signal: locked,
        platform: this.#platform,
      });
    });
    const words = ({ path, detail }: { path: string; detail: string }) => `${path.slice(this.#from.length + 1)}: ${detail}`;
    const bad = found.problems.filter(({ kind }) => DAMAGE.has(kind));
    const damagedCount = [...DAMAGE].reduce((sum, kind) => sum + (found.problemCounts[kind as "damaged"] ?? 0), 0);
    return {
      files: found.files + found.hardLinks,
      bytes: found.bytes,
      damaged: bad.slice(0, TOLD_MAX).map(words),
      damagedCount,
      notes: found.problems
        .filter(({ kind }) => !DAMAGE.has(kind))
        .slice(0, TOLD_MAX)
        .map(words),
    };
  }

  close(): Promise<void> {
    return this.#close();
  }

  /** A glob of the server's folder, from the root of the snapshot. */
  #inSnapshot(glob: string): string {
    const folder = this.#from.replaceAll(/[*?[\]{}()!+@|\\]/g, "\\$&");
    return `${folder}/${glob.replace(/^(?:\.?\/)+/, "")}`;
  }

  async #top(signal: AbortSignal): Promise<{ tree: string; prefix: Buffer }> {
    const node: TreeNode | null = await findNode(this.#repository, this.#snapshot.tree, this.#from, signal);
    const prefix = namesOf(this.#from).reduce(joinBytes, Buffer.alloc(0));
    if (node === null) return { tree: this.#snapshot.tree, prefix };
    if (node.subtree === undefined) throw foreign(this.name, `${this.#from} is no folder in it`);
    return { tree: node.subtree, prefix };
  }
}

/** Path of the server's folder in the snapshot, with `/` at its start and none at its end. */
function folderIn({ id, paths }: Snapshot): string {
  const [path, second] = paths;
  const name = `snapshot ${id.slice(0, SHORT_ID_DIGITS)}`;
  if (path === undefined || second !== undefined) throw foreign(name, `it holds ${paths.length} folders instead of the one of a server`);
  const windows = /^(?:[A-Za-z]:|\\\\)/.test(path);
  return nestedFolders(path, windows ? "win32" : "linux")
    .map((folder) => `/${folder.name}`)
    .join("");
}

/** @param what The first things that are not whole, in words. */
export function damaged(name: string, what: readonly string[], count = what.length): AgentError {
  const more = count > what.length ? `, and ${count - what.length} more` : "";
  const text = `Nothing was changed: the ${name} is damaged. ${what.join("; ")}${more}. Restore another backup, or restore this one to a folder of its own and take from it what is whole.`;
  return new AgentError("restore-damaged", text);
}

function foreign(name: string, why: string): AgentError {
  const text = `The ${name} was not made by ReconSync for one server: ${why}. Restore it by "reconsync repository restore", to a folder of its own.`;
  return new AgentError("backup-foreign", text);
}
