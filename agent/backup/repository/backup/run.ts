import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { type Clock, systemClock } from "../../../clock.ts";
import { AgentError } from "../../../errors.ts";
import { VERSION } from "../../../version.ts";
import type { Id } from "../format/ids.ts";
import { diff } from "../list/diff.ts";
import { Repository } from "../repository.ts";
import { orAborted } from "./abortable.ts";
import { idsOf } from "./contents.ts";
import { noCounts } from "./counts.ts";
import type { Folder } from "./folder.ts";
import type { BackupOptions, BackupProgress, BackupSummary, OpeningRepository } from "./options.ts";
import { rememberSnapshot } from "./parent.ts";
import { Problems } from "./problems.ts";
import { REPORT_NAME, reportOf } from "./report.ts";
import { type BackupSource, type OpenedSource, openSources, rootTree } from "./sources.ts";
import { prepareStage, type Stage } from "./stage.ts";
import { excludedKeys, Walker } from "./walker.ts";

export type { BackupOptions, BackupProgress, BackupSummary, OpeningRepository } from "./options.ts";
export type { CopiedDatabase, Problem } from "./problems.ts";
export type { BackupSource } from "./sources.ts";

/** Entries and files that the walk may be ahead: each takes some 500 bytes of memory. */
const AHEAD_MAX = 16_384;
/** Entries that are decided upon before others get their turn. */
const SLICE_ENTRIES = 512;
/** Time between two reports of progress, in milliseconds. */
const REPORT_EVERY_MS = 200;
/** A run that ends early and has no journal names what it stored, if that takes no longer. In milliseconds. */
const LAST_INDEX_MS = 5000;
/** A run that ends early gives its lock back, if that takes no longer: somebody waits for it to stop, and the store may be away. In milliseconds. */
const LAST_RELEASE_MS = 5000;

/**
 * Backs up files and folders into a repository. What cannot be read or changes meanwhile is reported, and never ends the run; errors of the store,
 * of the host, and a fired signal do. Whatever is stored by then is kept and found by the next run.
 *
 * @throws AgentError `source-missing`, `source-unreadable`, `source-is-link`, `sources-overlap`, `host-exhausted`, `worker-thread-lost`, `lock-lost`;
 * what the store and the repository throw; the signal's reason.
 */
export async function backup(
  repository: Repository | OpeningRepository,
  sources: readonly BackupSource[],
  options: BackupOptions,
): Promise<BackupSummary> {
  const target = repository instanceof Repository ? { store: repository.store, opening: Promise.resolve(repository) } : repository;
  const run = new BackupRun(target, sources, options);
  try {
    return await run.finished();
  } finally {
    await run.close();
  }
}

const consistencyTag = (consistency: BackupSummary["consistency"]) => `reconsync:consistency=${consistency}`;

class BackupRun {
  readonly #options: BackupOptions;
  readonly #sources: readonly BackupSource[];
  readonly #excluded: Set<string>;
  readonly #began: number;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #problems = new Problems();
  readonly #counts = noCounts();
  readonly #ready: Promise<Stage>;
  #stage: Stage | null = null;
  #phase: BackupProgress["phase"] = "scanning";
  #reportedAt = Number.NEGATIVE_INFINITY;
  #released = false;
  /** Saves of the game were held while files were read. */
  #held = false;

  constructor({ store, opening }: OpeningRepository, sources: readonly BackupSource[], options: BackupOptions) {
    this.#options = options;
    this.#sources = sources;
    this.#began = options.now();
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#clock = { now: options.now, sleep: systemClock.sleep };
    // Before it is known by its inode, so that it is left out of the first backup too.
    if (options.cacheFolder !== undefined) mkdirSync(options.cacheFolder, { recursive: true, mode: 0o700 });
    this.#excluded = excludedKeys([store.folder, options.cacheFolder, ...(options.excludeFolders ?? [])]);
    this.#ready = prepareStage(opening, {
      options,
      paths: sources.map(({ path }) => path),
      clock: this.#clock,
      problems: this.#problems,
      counts: this.#counts,
      signal: this.#signal,
      copiesFolder: options.cacheFolder ?? tmpdir(),
      onFailed: (error) => this.#stop.abort(error),
      onProgress: () => this.#report(),
    });
    this.#ready.then(
      (stage) => {
        this.#stage = stage;
      },
      (error: unknown) => this.#stop.abort(error),
    );
  }

  /** Ends at once when the signal fires or a part fails, whatever the others wait for. */
  finished(): Promise<BackupSummary> {
    return orAborted(this.#work(), this.#signal);
  }

  /** Ends whatever still goes on. Nothing of the run is left behind but what it stored. */
  async close(): Promise<void> {
    this.#stop.abort(new DOMException("The backup has ended", "AbortError"));
    // One that fails, or is stopped, has given back what it took.
    const stage = await this.#ready.catch(() => null);
    if (stage === null) return;
    await stage.lanes.close();
    await stage.sink.settled();
    if (!this.#released) await this.#leave(stage);
    stage.copies.close();
    stage.fileIndex?.close();
  }

  async #work(): Promise<BackupSummary> {
    const opened = openSources(this.#sources);
    await this.#walk(opened);
    const stage = await this.#ready;
    this.#phase = "reading";
    stage.queue.seal();
    stage.lanes.wake();
    await stage.lanes.ended();
    this.#signal.throwIfAborted();
    this.#held = (await this.#options.allRead?.()) === true;
    this.#phase = "storing";
    this.#report();
    return this.#store(stage, opened);
  }

  /** Looks into every folder, and decides upon each as soon as the repository is open. */
  async #walk(opened: readonly OpenedSource[]): Promise<void> {
    let ahead: Folder[] = [];
    let entries = 0;
    for (const { source, run, top } of opened) {
      const { lengths } = this.#options;
      const walker = new Walker({
        filter: source.filter,
        lengths,
        excluded: this.#excluded,
        problems: this.#problems,
        signal: this.#signal,
      });
      const folders = run.single ? [top] : walker.walk(top);
      for await (const folder of folders) {
        ahead.push(folder);
        entries += folder.listing.count + 1;
        if (entries < (this.#stage === null ? AHEAD_MAX : SLICE_ENTRIES)) continue;
        await this.#decide(await this.#ready, ahead);
        ahead = [];
        entries = 0;
      }
    }
    await this.#decide(await this.#ready, ahead);
  }

  async #decide({ history, assembler, lanes, queue, trees, sink }: Stage, folders: readonly Folder[]): Promise<void> {
    let entries = 0;
    for (const folder of folders) {
      assembler.look(folder, await history.previous(folder));
      entries += folder.listing.count + 1;
      if (entries < SLICE_ENTRIES) continue;
      entries = 0;
      lanes.wake();
      this.#report();
      for (const pack of trees.takeFull()) await sink.store(pack);
      await queue.shorterThan(AHEAD_MAX, this.#signal);
      await turn();
      this.#signal.throwIfAborted();
    }
    lanes.wake();
  }

  /** All is read: the last packs, the index that names them, and then the snapshot. */
  async #store(stage: Stage, opened: readonly OpenedSource[]): Promise<BackupSummary> {
    const { repository, trees, lanes, sink, owners, level, fileIndex, sample } = stage;
    const consistency = this.#consistency();
    const report = reportOf(this.#problems, { consistency, at: this.#began }, repository, level);
    const tree = idsOf(rootTree(opened, report === null ? [] : [report.node], trees, owners))[0] ?? "";
    await lanes.flush(report?.pack ?? null);
    for (const pack of trees.takeAll()) await sink.store(pack);
    // The threads' memory is free before the index is put together.
    await Promise.all([lanes.close(), sink.finish()]);
    this.#options.beforeSnapshot?.(this.#counts);
    const { now } = this.#options;
    const unchanged = this.#options.onlyIfChanged === true && (await this.#holdsTheSame(stage, tree));
    const bytesNew = lanes.newBytes + trees.newBytes + (report?.pack === null ? 0 : (report?.bytes ?? 0));
    const snapshot = unchanged ? (stage.parent?.id ?? "") : await this.#saveSnapshot(stage, tree, consistency, bytesNew);
    fileIndex?.setFact(stage.sampleFact, JSON.stringify(sample.next(now(), this.#counts.bytes)));
    await this.#leave(stage);
    const { list, count, databases } = this.#problems;
    const parent = stage.parent?.id;
    return {
      snapshot,
      unchanged,
      tree,
      ...(parent !== undefined && { parent }),
      ...this.#counts,
      bytesNew,
      bytesAdded: sink.bytes,
      packs: sink.packs,
      repositoryBytes: repository.index.bytes,
      consistency,
      problems: list,
      problemsInAll: count,
      sqlite: databases,
      ms: now() - this.#began,
    };
  }

  #consistency(): BackupSummary["consistency"] {
    const { torn, missing } = this.#problems;
    if (torn > 0) return "torn";
    return this.#held && missing === 0 ? "quiesced" : "stable";
  }

  async #saveSnapshot(stage: Stage, tree: Id, consistency: BackupSummary["consistency"], bytesNew: number): Promise<Id> {
    const { repository, lock, parent, fileIndex, sink } = stage;
    const { hostname, username, tags = [] } = this.#options;
    const paths = this.#sources.map(({ path }) => path);
    const [uid, gid] = [process.getuid?.(), process.getgid?.()];
    const { files, bytes } = this.#counts;
    await lock.confirmed();
    const snapshot = await repository.saveSnapshot(
      {
        time: new Date(this.#began).toISOString(),
        tree,
        ...(parent !== null && { parent: parent.id }),
        paths,
        hostname,
        username,
        ...(uid !== undefined && { uid }),
        ...(gid !== undefined && { gid }),
        tags: [...tags, consistencyTag(consistency)],
        programVersion: `ReconSync ${VERSION}`,
        summary: {
          backupStart: new Date(this.#began).toISOString(),
          backupEnd: new Date(this.#options.now()).toISOString(),
          filesNew: files.new,
          filesChanged: files.changed,
          filesUnmodified: files.unchanged,
          dataAdded: bytesNew,
          dataAddedPacked: sink.bytes,
          totalFiles: files.new + files.changed + files.unchanged,
          totalBytes: bytes,
        },
      },
      this.#signal,
    );
    rememberSnapshot(fileIndex, hostname, paths, { id: snapshot, tree });
    return snapshot;
  }

  /** The parent's content is this one's. A snapshot with torn files is never good enough to be the last one. */
  async #holdsTheSame({ repository, parent }: Stage, tree: Id): Promise<boolean> {
    if (parent === null || this.#problems.count > 0) return false;
    const { tags } = await repository.readSnapshot(parent.id, this.#signal);
    if (tags === undefined || !(["stable", "quiesced"] as const).some((good) => tags.includes(consistencyTag(good)))) return false;
    for await (const { kind, path } of diff(repository, parent, { tree }, this.#signal)) {
      // It tells of databases that were read then, and not again.
      if (kind !== "metadata" && path !== `/${REPORT_NAME}`) return false;
    }
    return true;
  }

  /** Names what was stored by a run that ends early, when nothing else would tell of it, and gives the lock back. */
  async #leave({ sink, fileIndex, repository, lock }: Stage): Promise<void> {
    this.#released = true;
    try {
      const lost = this.#signal.reason instanceof AgentError && this.#signal.reason.code === "lock-lost";
      if (fileIndex?.usable !== true && sink.unindexed.length > 0 && !lost) {
        await repository.saveIndex(sink.unindexed, AbortSignal.timeout(LAST_INDEX_MS));
      }
      await (this.#signal.aborted ? lock.release(LAST_RELEASE_MS) : lock.release());
    } catch (error) {
      // The backup is in the store, or has failed for a reason that says more; a lock that stays is stale after half an hour.
      if (!(error instanceof AgentError) && !(error instanceof DOMException)) throw error;
    }
  }

  #report(): void {
    const stage = this.#stage;
    const now = this.#options.now();
    if (stage === null || this.#options.report === undefined || now - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = now;
    const { files } = this.#counts;
    const bytesDone = stage.bytesDone();
    this.#options.report({
      phase: this.#phase,
      filesDone: files.new + files.changed + files.unchanged,
      bytesDone,
      ...(this.#phase !== "scanning" && { bytesTotal: stage.bytesTotal() }),
      bytesNew: stage.lanes.newBytes + stage.trees.newBytes,
    });
  }
}
