import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { AgentError } from "../../../errors.ts";
import { createFilter } from "../../globs.ts";
import { defaultThreads, WorkerPool } from "../../workers/pool.ts";
import { atOnce } from "../at-once.ts";
import type { Id } from "../format/ids.ts";
import type { Snapshot, SnapshotSummary } from "../format/snapshot.ts";
import { findNode, namesOf } from "../list/find-node.ts";
import { joinBytes } from "../list/walk-tree.ts";
import type { Repository } from "../repository.ts";
import { FileWriter } from "./file-writer.ts";
import { finishRound } from "./finish.ts";
import { madeFolder, prepareTarget } from "./folders.ts";
import { type Measured, measureFiles, measureTree } from "./measure.ts";
import { RestorePlanner } from "./planner.ts";
import { type RestoreProblem, type RestoreProblemKind, RestoreProblems } from "./problems.ts";
import type { PlannedBatch, Round } from "./round.ts";
import { checkSpace, freeSpace } from "./space.ts";
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
  /** Waited for before anything is written, such as a lock that is not certain yet. */
  mayWrite?: () => Promise<void>;
  /** Threads that somebody else has started and closes. */
  pool?: WorkerPool;
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

/** Room that a file takes beside its content: its inode, its name, the rest of its last block. In bytes, generously. */
const FILE_ROOM_BYTES = 8192;
/** Files without content are made so many at a time. */
const EMPTY_AT_ONCE = 500;
/** Parts of packs that are read ahead of the threads. Each holds up to 4 MiB. */
const READ_AHEAD = 2;
/**
 * Files, folders and links of a round, where it is known beforehand that all have room: the first are written while the next are planned. The first
 * round is small, so that the threads have something to do soon; each is twice as large as the one before, up to the last number.
 */
const ROUND_ITEMS = { first: 256, most: 4096 };

/**
 * Restores a snapshot. `repository.loadIndex` must have run. What is whole is restored whatever is damaged beside it; a file with lost parts is left as
 * NAME.reconsync-damaged, with zeros in their place. Nothing is written outside of the target, whatever the snapshot says.
 * @throws AgentError `restore-target-not-empty`, `restore-target-unwritable`, `restore-no-space`, `path-missing`; what the store throws
 */
export async function restore(repository: Repository, snapshot: Snapshot, options: RestoreOptions): Promise<RestoreSummary> {
  const started = performance.now();
  const { signal, platform = process.platform, include = [], threads = defaultThreads() } = options;
  const target = resolve(options.target);
  const filter =
    include.length === 0 ? undefined : createFilter({ include: [...include], exclude: [] }, { ignoreCase: platform === "win32" });
  const walked: TargetOptions = { ...(await startOf(repository, snapshot, options.from ?? "/", signal)), target, filter, platform, signal };
  const expected = (options.from ?? "/") === "/" && filter === undefined ? snapshot.summary : undefined;
  const run = new Restoration(repository, walked, options, expected);
  const pool = options.pool ?? new WorkerPool(threads);
  const { files, directories, symlinks, hardLinks, bytes, problems } = await run.restore(pool).finally(async () => {
    if (options.pool === undefined) await pool.close();
  });
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

/** Items, with the next one being made while the one before is worked upon. */
async function* ahead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next();
  try {
    for (let { done, value } = await next; !done; { done, value } = await next) {
      next = items.next();
      // It is awaited when the work on this one is done.
      next.catch(() => undefined);
      yield value;
    }
  } finally {
    await next.catch(() => undefined);
    await items.return(undefined);
  }
}

/** A round whose files are being written. */
interface BegunRound {
  round: Round;
  /** Parts of packs that are read or written now. */
  left: number;
  /** No part is to come. */
  whole: boolean;
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
  readonly #options: RestoreOptions;
  /** How much it is at most, where the snapshot tells. */
  readonly #expected: SnapshotSummary | undefined;
  #measured: Measured = { files: 0, bytes: 0, room: 0 };
  #filesDone = 0;
  /** Rounds that are not finished, in their order. */
  readonly #begun: BegunRound[] = [];

  constructor(repository: Repository, target: TargetOptions, options: RestoreOptions, expected: SnapshotSummary | undefined) {
    this.#repository = repository;
    this.#target = target;
    this.#overwrite = options.overwrite ?? false;
    this.#options = options;
    this.#expected = expected;
  }

  async restore(pool: WorkerPool): Promise<this> {
    this.#tell("looking");
    const fits = await this.#fitsForSure();
    const planner = new RestorePlanner({
      source: this.#repository,
      index: this.#repository.index,
      far: this.#repository.store.folder === undefined,
      target: this.#target,
      // Owners are root's to give, and Windows has none.
      owners: process.getuid?.() === 0,
      problems: this.problems,
      run: randomBytes(4).toString("hex"),
      ...(fits && { roundItems: ROUND_ITEMS }),
    });
    const atATime = Math.max(1, Math.min(this.#repository.store.parallel, pool.threads.length + READ_AHEAD));
    const writer = this.#writer(pool);
    try {
      await atOnce(this.#batches(planner, writer, fits), atATime, async ({ round, batch }) => {
        await writer.write(batch);
        this.#tell("writing");
        round.left -= 1;
        this.#finishRounds();
      });
      this.#target.signal.throwIfAborted();
      this.#tell("finishing");
      this.#finishRounds();
    } catch (error) {
      for (const { round } of this.#begun) writer.abandon(round.files);
      throw error;
    }
    return this;
  }

  /** What to read, round by round: threads go on with the next round while the last parts of one are written. */
  async *#batches(planner: RestorePlanner, writer: FileWriter, fits: boolean): AsyncGenerator<{ round: BegunRound; batch: PlannedBatch }> {
    let first = true;
    for await (const round of ahead(planner.rounds())) {
      if (first) await this.#prepare(fits ? null : round);
      first = false;
      const begun: BegunRound = { round, left: 0, whole: false };
      this.#begun.push(begun);
      for (const folder of round.folders) if (madeFolder(folder, this.#overwrite, this.problems)) this.directories += 1;
      writer.leaveOut(round.files.filter(({ folder }) => folder.state === "failed"));
      const empty = round.files.filter(({ left, done }) => left === 0 && !done);
      for (let n = 0; n < empty.length; n += EMPTY_AT_ONCE) await writer.writeEmpty(empty.slice(n, n + EMPTY_AT_ONCE));
      for (const batch of round.batches()) {
        begun.left += 1;
        yield { round: begun, batch };
      }
      begun.whole = true;
    }
  }

  /** Finishes the rounds that are written, in their order: links lead to files of earlier ones. */
  #finishRounds(): void {
    for (let [first] = this.#begun; first?.whole === true && first.left === 0; [first] = this.#begun) {
      const { symlinks, hardLinks } = finishRound(first.round.ends, this.#overwrite, this.problems);
      this.symlinks += symlinks;
      this.hardLinks += hardLinks;
      this.#begun.shift();
    }
  }

  /** True when all of it has room whatever it replaces. Otherwise it is added up, file by file, before anything is written. */
  async #fitsForSure(): Promise<boolean> {
    if (this.#expected === undefined) return false;
    const { totalFiles: files, totalBytes: bytes } = this.#expected;
    this.#measured = { files, bytes, room: bytes };
    return (await freeSpace(this.#target.target)) >= bytes + files * FILE_ROOM_BYTES;
  }

  /** @param first The first round, when it is not known yet whether there is room. */
  async #prepare(first: Round | null): Promise<void> {
    await this.#options.mayWrite?.();
    await prepareTarget(this.#target.target, this.#overwrite);
    // A round that is not full holds all there is. Otherwise somebody has to look ahead.
    if (first !== null) this.#measured = await this.#measure(first);
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

  #tell(phase: RestoreProgress["phase"]): void {
    const { files: filesTotal, bytes: bytesTotal } = this.#measured;
    this.#options.report?.({ phase, filesDone: this.#filesDone, filesTotal, bytesDone: this.bytes, bytesTotal });
  }
}
