import { SHORT_ID_DIGITS } from "../../../schemas/index.ts";
import type { ServerConfig } from "../../config/host-config.ts";
import { AgentError } from "../../errors.ts";
import { readKey } from "../../recovery/key-file.ts";
import { noRecoveryKey } from "../../recovery/no-key.ts";
import { nestedFolders } from "../repository/backup/paths.ts";
import type { CorruptError } from "../repository/format/corrupt.ts";
import type { Id } from "../repository/format/ids.ts";
import type { Snapshot } from "../repository/format/snapshot.ts";
import type { TreeNode } from "../repository/format/tree.ts";
import { type Difference, diff } from "../repository/list/diff.ts";
import { findNode } from "../repository/list/find-node.ts";
import { ls } from "../repository/list/ls.ts";
import { Repository } from "../repository/repository.ts";
import { newestFirst } from "../repository/snapshots.ts";
import type { MirrorProblem } from "../repository/stores/mirrored.ts";
import { wrongKey } from "../snapshots/engine.ts";
import { openPlace, type PlaceDeps } from "../snapshots/place.ts";
import {
  factsOfTags,
  type KeptBackup,
  type KeptBackups,
  type KeptDifference,
  type KeptEntry,
  type KeptType,
  noSuchPath,
  tidyKeptPath,
} from "./kept.ts";

export interface KeptSnapshotsDeps extends PlaceDeps {
  stateFile: string;
  /** Where indexes are remembered; nowhere when absent. */
  cacheFolder?: string;
  /** Hears of what is damaged; the rest is still shown. */
  onDamaged: (damage: CorruptError) => void;
  onMirrorProblem: (problem: MirrorProblem) => void;
}

/**
 * The snapshots of a server in its repository.
 * @throws AgentError `recovery-key-missing`, `recovery-key-wrong`, `repository-missing`
 */
export async function openKeptSnapshots(server: ServerConfig, deps: KeptSnapshotsDeps, signal: AbortSignal): Promise<KeptBackups> {
  const { stateFile, cacheFolder, onDamaged } = deps;
  const key = readKey(stateFile);
  if (key === null) throw noRecoveryKey(stateFile);
  const store = await openPlace(server, deps, signal, deps.onMirrorProblem);
  try {
    const repository = await Repository.open(store, Buffer.from(key, "utf8"), { cacheFolder, signal, onDamaged });
    return new KeptSnapshots(server, repository);
  } catch (error) {
    await store.close();
    throw error instanceof AgentError && error.code === "wrong-password" ? wrongKey(server, store, error) : error;
  }
}

class KeptSnapshots implements KeptBackups {
  readonly place: string;
  readonly #server: ServerConfig;
  readonly #repository: Repository;
  readonly #snapshots = new Map<string, Snapshot>();

  constructor(server: ServerConfig, repository: Repository) {
    this.#server = server;
    this.#repository = repository;
    this.place = repository.store.place;
  }

  async list(signal: AbortSignal): Promise<KeptBackup[]> {
    const ours: Snapshot[] = [];
    for await (const snapshot of this.#repository.snapshots(signal)) {
      // Others may lie in the same repository, such as those that somebody made with restic.
      if (!(snapshot.tags ?? []).includes(`reconsync:server=${this.#server.id}`)) continue;
      this.#snapshots.set(snapshot.id, snapshot);
      ours.push(snapshot);
    }
    return ours.sort(newestFirst).map(keptOf);
  }

  async *entries(backup: KeptBackup, path: string, given: { recursive: boolean; signal: AbortSignal }): AsyncGenerator<KeptEntry> {
    const { signal } = given;
    const snapshot = await this.#open(backup, signal);
    const root = rootOf(snapshot);
    const asked = tidyKeptPath(path);
    const whole = [root, asked].filter(Boolean).join("/");
    try {
      for await (const { path: found, node } of ls(this.#repository, snapshot, whole, given)) yield entryOf(within(found, root), node);
    } catch (error) {
      if (error instanceof AgentError && error.code === "path-missing") throw noSuchPath(asked, backup);
      throw error;
    }
  }

  async *differences(before: KeptBackup, after: KeptBackup, signal: AbortSignal): AsyncGenerator<KeptDifference> {
    // Each from its own root: the folder of the server may have moved.
    const trees = [await this.#tree(before, signal), await this.#tree(after, signal)] as const;
    for await (const difference of diff(this.#repository, { tree: trees[0] }, { tree: trees[1] }, signal)) yield differenceOf(difference);
  }

  async storedBytes(signal: AbortSignal): Promise<number> {
    let bytes = 0;
    for await (const file of this.#repository.store.list("data", signal)) bytes += file.bytes;
    return bytes;
  }

  close(): Promise<void> {
    return this.#repository.store.close();
  }

  async #open({ id }: KeptBackup, signal: AbortSignal): Promise<Snapshot> {
    await this.#repository.loadIndex(signal);
    return this.#snapshots.get(id) ?? this.#repository.readSnapshot(id, signal);
  }

  /** The tree of the server's folder. */
  async #tree(backup: KeptBackup, signal: AbortSignal): Promise<Id> {
    const snapshot = await this.#open(backup, signal);
    const root = rootOf(snapshot);
    const node = await findNode(this.#repository, snapshot.tree, root, signal);
    if (node === null) return snapshot.tree;
    if (node.subtree === undefined) throw noSuchPath(root, backup);
    return node.subtree;
  }
}

/** The server's folder inside of the snapshot, also of a host of another system. */
export function rootOf({ paths: [first = ""] }: Pick<Snapshot, "paths">): string {
  return nestedFolders(first, first.startsWith("/") ? "linux" : "win32")
    .map(({ name }) => name)
    .join("/");
}

function within(path: string, root: string): string {
  const inside = path.slice(1);
  return root === "" ? inside : inside.slice(root.length + 1);
}

function keptOf({ id, time, tags = [], summary }: Snapshot): KeptBackup {
  return {
    id,
    name: id.slice(0, SHORT_ID_DIGITS),
    at: Date.parse(time),
    ...factsOfTags(tags),
    ...(summary && {
      files: summary.totalFiles,
      sourceBytes: summary.totalBytes,
      newBytes: summary.dataAdded,
      storedBytes: summary.dataAddedPacked,
    }),
  };
}

const TYPES: Partial<Record<TreeNode["type"], KeptType>> = { file: "file", dir: "directory", symlink: "symlink" };
const NS_PER_MS = 1_000_000n;
/** Farther from 1970 a time is no date, in milliseconds (ECMAScript). */
const DATE_MAX = 8.64e15;

function entryOf(path: string, { type, size, mtimeNs, linkTarget }: TreeNode): KeptEntry {
  const mtime = Number(mtimeNs / NS_PER_MS);
  return {
    path,
    type: TYPES[type] ?? "other",
    ...(size !== undefined && { bytes: Number(size) }),
    ...(Math.abs(mtime) <= DATE_MAX && { mtime }),
    ...(linkTarget !== undefined && { target: linkTarget.toString() }),
  };
}

function differenceOf({ path, kind, before, after }: Difference): KeptDifference {
  return { path: path.slice(1), kind, before: Number(before?.size ?? 0n), after: Number(after?.size ?? 0n) };
}
