import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { AgentError } from "../../../errors.ts";
import { createFilter } from "../../globs.ts";
import { defaultThreads, WorkerPool } from "../../workers/pool.ts";
import { atOnce } from "../at-once.ts";
import type { Id } from "../format/ids.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { findNode, namesOf } from "../list/find-node.ts";
import { joinBytes } from "../list/walk-tree.ts";
import type { Repository } from "../repository.ts";
import { FileWriter } from "./file-writer.ts";
import { finishRound } from "./finish.ts";
import { madeFolder, prepareTarget } from "./folders.ts";
import { type Measured, measureFiles, measureTree } from "./measure.ts";
import { RestorePlanner } from "./planner.ts";
import { type RestoreProblem, type RestoreProblemKind, RestoreProblems } from "./problems.ts";
import type { Round } from "./round.ts";
import { checkSpace } from "./space.ts";
import type { TargetOptions } from "./target-walk.ts";

export interface RestoreProgress {
  phase: "looking" | "writing" | "finishing";
  filesDone: number;
  filesTotal: number;
  bytesDone: number;
  bytesTotal: number;
}

export interface RestoreOptions {
  /** Folder that everything goes to. It must be empty or not be there, unless `overwrite`. */
  target: string;
  /** Globs or paths from the snapshot's root; a folder brings all that is in it. Absent or empty: everything. */
  include?: readonly string[];
  /** A folder of the snapshot whose content goes straight into the target. Absent: its root, so that paths stay as they were. */
  from?: string;
  /** Files in the target that the snapshot has too are replaced, each at once when it is whole. Others stay. */
  overwrite?: boolean;
  threads?: number;
  report?: (progress: RestoreProgress) => void;
  signal: AbortSignal;
  platform?: NodeJS.Platform;
}

export interface RestoreSummary {
  snapshot: Id;
  target: string;
  /** Files that are whole and under their own name, hard links once. */
  files: number;
  directories: number;
  symlinks: number;
  /** Further names of files. */
  hardLinks: number;
  /** Bytes of content that were written or left as holes. */
  bytes: number;
  /** The first thousand. */
  problems: RestoreProblem[];
  /** How many problems of each kind there are. */
  problemCounts: Partial<Record<RestoreProblemKind, number>>;
  /** Milliseconds. */
  ms: number;
}

/** Files without content are made so many at a time. */
const EMPTY_AT_ONCE = 500;
/** Parts of packs that are read ahead of the threads. Each holds up to 4 MiB. */
const READ_AHEAD = 1;

/**
 * Restores a snapshot. `repository.loadIndex` must have run. What is whole is restored whatever is damaged beside it; a file with lost parts is left as
 * NAME.reconsync-damaged, with zeros in their place. Nothing is written outside of the target, whatever the snapshot says.
 * @throws AgentError `restore-target-not-empty`, `restore-target-unwritable`, `restore-no-space`, `path-missing`; what the store throws
 */
export async function restore(repository: Repository, snapshot: Snapshot, options: RestoreOptions): Promise<RestoreSummary> {
  const started = performance.now();
  const { signal, overwrite = false, platform = process.platform, include = [], threads = defaultThreads() } = options;
  const target = resolve(options.target);
  const filter =
    include.length === 0 ? undefined : createFilter({ include: [...include], exclude: [] }, { ignoreCase: platform === "win32" });
  const walked: TargetOptions = { ...(await startOf(repository, snapshot, options.from ?? "/", signal)), target, filter, platform, signal };
  await prepareTarget(target, overwrite);
  const run = new Restoration(repository, walked, overwrite, options.report);
  const { files, directories, symlinks, hardLinks, bytes, problems } = await run.restore(threads);
  return {
    snapshot: snapshot.id,
    target,
    files,
    directories,
    symlinks,
    hardLinks,
    bytes,
    problems: problems.told,
    problemCounts: problems.counts,
    ms: Math.round(performance.now() - started),
  };
}

/** The tree that a restore begins with. */
async function startOf(
  repository: Repository,
  snapshot: Snapshot,
  from: string,
  signal: AbortSignal,
): Promise<Pick<TargetOptions, "tree" | "prefix">> {
  const node = await findNode(repository, snapshot.tree, from, signal);
  const prefix = namesOf(from).reduce(joinBytes, Buffer.alloc(0));
  if (node === null) return { tree: snapshot.tree, prefix };
  if (node.subtree !== undefined) return { tree: node.subtree, prefix };
  throw new AgentError("path-missing", `${from} is no folder in the snapshot. Give a folder, or choose files with --include.`);
}

class Restoration {
  files = 0;
  directories = 0;
  symlinks = 0;
  hardLinks = 0;
  bytes = 0;
  readonly problems = new RestoreProblems();
  readonly #repository: Repository;
  readonly #target: TargetOptions;
  readonly #overwrite: boolean;
  readonly #report: ((progress: RestoreProgress) => void) | undefined;
  #measured: Measured = { files: 0, bytes: 0, room: 0 };
  #filesDone = 0;

  constructor(
    repository: Repository,
    target: TargetOptions,
    overwrite: boolean,
    report: ((progress: RestoreProgress) => void) | undefined,
  ) {
    this.#repository = repository;
    this.#target = target;
    this.#overwrite = overwrite;
    this.#report = report;
  }

  async restore(threads: number): Promise<this> {
    this.#tell("looking");
    const planner = new RestorePlanner({
      source: this.#repository,
      index: this.#repository.index,
      target: this.#target,
      // Owners are root's to give, and Windows has none.
      owners: process.getuid?.() === 0,
      problems: this.problems,
      run: randomBytes(4).toString("hex"),
    });
    const pool = new WorkerPool(threads);
    const atATime = Math.max(1, Math.min(this.#repository.store.parallel, threads + READ_AHEAD));
    try {
      const writer = this.#writer(pool);
      let first = true;
      for await (const round of planner.rounds()) {
        // A round that is not full holds all there is. Otherwise somebody has to look ahead.
        if (first) this.#measured = await this.#measure(round);
        first = false;
        await this.#writeRound(writer, round, atATime);
      }
    } finally {
      await pool.close();
    }
    return this;
  }

  /** Looks whether there is room, before anything is written. */
  async #measure(round: Round): Promise<Measured> {
    const measured = round.full
      ? await measureTree(this.#repository, this.#target, this.#overwrite)
      : measureFiles(round.files, this.#overwrite);
    await checkSpace(this.#target.target, measured.room);
    return measured;
  }

  #writer(pool: WorkerPool): FileWriter {
    return new FileWriter({
      repository: this.#repository,
      pool,
      target: this.#target.target,
      overwrite: this.#overwrite,
      problems: this.problems,
      signal: this.#target.signal,
      onBytes: (bytes) => {
        this.bytes += bytes;
      },
      onDone: ({ linked, damaged }, place) => {
        this.#filesDone += 1;
        if (place !== null && !damaged) this.files += 1;
        if (linked !== undefined) Object.assign(linked, { place, damaged });
      },
    });
  }

  async #writeRound(writer: FileWriter, round: Round, atATime: number): Promise<void> {
    try {
      for (const folder of round.folders) if (madeFolder(folder, this.#overwrite, this.problems)) this.directories += 1;
      writer.leaveOut(round.files.filter(({ folder }) => folder.state === "failed"));
      const empty = round.files.filter(({ left, done }) => left === 0 && !done);
      for (let n = 0; n < empty.length; n += EMPTY_AT_ONCE) await writer.writeEmpty(empty.slice(n, n + EMPTY_AT_ONCE));
      await atOnce(round.batches(), atATime, async (batch) => {
        await writer.write(batch);
        this.#tell("writing");
      });
      this.#target.signal.throwIfAborted();
      this.#tell("finishing");
      const { symlinks, hardLinks } = finishRound(round.ends, this.#overwrite, this.problems);
      this.symlinks += symlinks;
      this.hardLinks += hardLinks;
    } catch (error) {
      writer.abandon(round.files);
      throw error;
    }
  }

  #tell(phase: RestoreProgress["phase"]): void {
    const { files: filesTotal, bytes: bytesTotal } = this.#measured;
    this.#report?.({ phase, filesDone: this.#filesDone, filesTotal, bytesDone: this.bytes, bytesTotal });
  }
}
