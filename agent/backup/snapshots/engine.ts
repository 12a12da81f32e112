import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { BackupResult, Progress, SnapshotBackup } from "../../../schemas/index.ts";
import type { ServerConfig } from "../../config/host-config.ts";
import { AgentError } from "../../errors.ts";
import { type RecoveryKey, recoveryKey } from "../../recovery/key-file.ts";
import { takeLock, verificationLockFile } from "../../state/lock.ts";
import { scratchFolderOf } from "../../verification/scratch.ts";
import { unlessCancelled } from "../cancelled.ts";
import type { BackupEngine, BackupRequest } from "../engine.ts";
import { createFilter } from "../globs.ts";
import { withLengths } from "../lengths.ts";
import { ProgressMeter } from "../progress.ts";
import { type BackupProgress, type BackupSummary, backup } from "../repository/backup/run.ts";
import type { CorruptError } from "../repository/format/corrupt.ts";
import { type OpenOptions, Repository } from "../repository/repository.ts";
import { MirroredStore, type MirrorProblem } from "../repository/stores/mirrored.ts";
import type { RepositoryStore } from "../repository/stores/store.ts";
import { verifySnapshot } from "../repository/verify/snapshot.ts";
import { whoIsHere } from "../repository/who-is-here.ts";
import { ownJudge, type RetentionJudge } from "../retention-judge.ts";
import type { SavesEvidence } from "../saves.ts";
import { type BackupTrust, unverified } from "../trust.ts";
import { nothingToBackUp } from "../walk.ts";
import { openPlace, type PlaceDeps, storeFolders } from "./place.ts";
import { snapshotResult } from "./result.ts";
import { retain } from "./retention.ts";

export interface SnapshotDeps extends PlaceDeps {
  /** Which snapshots may go; by the host's config alone when absent. */
  judge?: RetentionJudge;
  /** The recovery key and what is kept of repositories lie beside it. */
  stateFile: string;
  /** Remembers which backups did not pass a check. Absent: nobody does. */
  trust?: BackupTrust;
}

function isHeld(file: string): boolean {
  const lock = takeLock(file);
  lock?.release();
  return lock === undefined;
}

/** Beside the agent's database: what is known of repositories and of the files in them. It can be removed at any time. */
export function cacheFolderOf(stateFile: string): string {
  return join(dirname(stateFile), "repository-cache");
}

/** Of what is wrong with a new backup, so much is told. */
const PROBLEMS_TOLD = 3;

const PHASES: Record<BackupProgress["phase"], Progress["phase"]> = { scanning: "scanning", reading: "archiving", storing: "finishing" };

const SAVE_THE_KEY =
  'The recovery key of this host has not been put away yet. Without it nobody can open these backups once the host is lost: run "reconsync recovery-key" there.';

/** Backups as snapshots in a repository that restic can read. The first backup makes the repository, and the host's recovery key. */
export function createSnapshotEngine(deps: SnapshotDeps): BackupEngine {
  const run = (request: BackupRequest, onlyIfChanged: boolean) =>
    unlessCancelled(request, "It made no snapshot. What it had stored is kept, and the next backup uses it.", () =>
      makeSnapshot(request, deps, onlyIfChanged),
    );
  return {
    backup: async (request) => madeOrFail(await run(request, false)),
    backupIfChanged: (request) => run(request, true),
    // What a run left behind is complete in itself, and the next one uses it.
    cleanUp: async () => undefined,
  };
}

function madeOrFail(result: BackupResult | null): BackupResult {
  if (result === null) throw new Error("A backup that was asked for in any case was not made");
  return result;
}

async function makeSnapshot(request: BackupRequest, deps: SnapshotDeps, onlyIfChanged: boolean): Promise<SnapshotBackup | null> {
  const { server, clock, signal, log } = request;
  const startedAt = clock.now();
  const key = recoveryKey(deps.stateFile);
  if (key.isNew) log.info({ server: server.id }, SAVE_THE_KEY);
  if (key.warning !== undefined) log.warn(key.warning);
  const cacheFolder = cacheFolderOf(deps.stateFile);
  mkdirSync(cacheFolder, { recursive: true, mode: 0o700 });
  const mirror = new MirrorNotes(server, log);
  const store = await openPlace(server, deps, signal, (problem) => mirror.add(problem));
  try {
    const damage: string[] = [];
    const onDamaged = ({ message }: CorruptError) => void damage.push(message);
    // Before the walk begins, so that a folder that is made for it now is known and left out.
    const repository = await openOrInit(store, key, { server, cacheFolder, signal, onDamaged, now: startedAt });
    await mirror.catchUp(store, signal);
    const doubted = deps.trust?.doubts(server.id) ?? new Set<string>();
    // A last backup that did not pass its check is nothing to rest on, and may not even be readable.
    const mayRest = onlyIfChanged && !(await isDoubted(repository, server.id, doubted, signal));
    const { summary, saves } = await snapshot(request, {
      repository,
      cacheFolder,
      scratchFolder: scratchFolderOf(server, deps.stateFile),
      onlyIfChanged: mayRest,
    });
    await mirror.catchUp(store, signal);
    if (summary.unchanged) return null;
    await checkStructure(repository, request, { snapshot: summary.snapshot, doubted, trust: deps.trust });
    const kept = await retain(repository, request, {
      cacheFolder,
      judge: deps.judge ?? ownJudge,
      trust: deps.trust,
      isVerifying: () => isHeld(verificationLockFile(deps.stateFile, server.id)),
    });
    log.info(
      { server: server.id, snapshot: summary.snapshot, bytes: summary.bytesAdded, consistency: summary.consistency },
      "backup written",
    );
    const warnings = [
      ...(saves?.warnings ?? []),
      ...(key.saved ? [] : [SAVE_THE_KEY]),
      ...damageWarning(damage),
      ...mirror.warnings(),
      ...kept.warnings,
    ];
    return snapshotResult(request, { summary, saves, startedAt, durationMs: clock.now() - startedAt, pruned: kept.pruned, warnings });
  } finally {
    await store.close();
  }
}

/** Whether the server's last snapshot is among these. */
async function isDoubted(repository: Repository, server: string, doubted: ReadonlySet<string>, signal: AbortSignal): Promise<boolean> {
  if (doubted.size === 0) return false;
  try {
    return doubted.has((await repository.findSnapshot("latest", { tags: [`reconsync:server=${server}`] }, signal)).id);
  } catch (error) {
    if (error instanceof AgentError && error.code === "snapshot-missing") return false;
    throw error;
  }
}

/**
 * Reads the structure of the new snapshot back. One that does not pass is no backup: it stays where it is, and nothing older is removed for it.
 * @throws AgentError `backup-unverified`
 */
async function checkStructure(
  repository: Repository,
  { server, clock, signal }: BackupRequest,
  { snapshot, doubted, trust }: { snapshot: string; doubted: ReadonlySet<string>; trust: BackupTrust | undefined },
): Promise<void> {
  const { problems, problemCount } = await verifySnapshot(repository, snapshot, { signal, doubted });
  if (problemCount === 0) return;
  const why = problems.slice(0, PROBLEMS_TOLD).join("; ");
  trust?.doubt(server.id, snapshot, why, clock.now());
  throw unverified(why, problemCount);
}

function damageWarning([first, ...others]: readonly string[]): string[] {
  if (first === undefined) return [];
  const more = others.length === 0 ? "" : ` And ${others.length} more.`;
  return [
    `The repository is damaged; this backup is whole, but earlier ones may not be: ${first}${more} Run "reconsync repository verify".`,
  ];
}

interface OpenRun {
  repository: Repository;
  cacheFolder: string;
  /** Drills restore there. */
  scratchFolder: string;
  onlyIfChanged: boolean;
}

async function snapshot(
  { server, note, purpose, report, signal, clock, saves: held }: BackupRequest,
  run: OpenRun,
): Promise<{ summary: BackupSummary; saves: SavesEvidence | undefined }> {
  const { include, exclude, compression, lowPriority } = server.backup;
  const meter = new ProgressMeter(report, () => clock.now());
  let phase: Progress["phase"] = "scanning";
  let done = 0;
  meter.phase(phase);
  const filter = createFilter({ include, exclude }, { ignoreCase: process.platform === "win32" });
  let saves: SavesEvidence | undefined;
  const summary = await backup(run.repository, [{ path: server.folder, filter: withLengths(filter, held?.lengths) }], {
    ...whoIsHere(),
    tags: tagsOf(server, { note, purpose }),
    now: () => clock.now(),
    level: compression === 3 ? 3 : 1,
    lowPriority,
    cacheFolder: run.cacheFolder,
    excludeFolders: [...storeFolders(server.backup), run.scratchFolder],
    onlyIfChanged: run.onlyIfChanged,
    lengths: held?.lengths,
    allRead: async () => {
      saves = await held?.readAll();
      return saves?.quiesced === true;
    },
    beforeSnapshot: ({ files }) => {
      if (files.new + files.changed + files.unchanged === 0) throw nothingToBackUp(server);
    },
    report: (progress) => {
      if (PHASES[progress.phase] !== phase) {
        phase = PHASES[progress.phase];
        meter.phase(phase, progress.bytesTotal);
      }
      meter.addBytes(Math.max(0, progress.bytesDone - done));
      done = Math.max(done, progress.bytesDone);
    },
    signal,
  });
  return { summary, saves };
}

/** The server, what the snapshot is for, and what a person said of it: restic shows tags, and has no notes. */
function tagsOf({ id }: ServerConfig, { note, purpose }: Pick<BackupRequest, "note" | "purpose">): string[] {
  return [
    `reconsync:server=${id}`,
    ...(purpose === undefined ? [] : [`reconsync:purpose=${purpose}`]),
    ...(note === undefined || note === "" ? [] : [`reconsync:note=${note.replaceAll(",", ";")}`]),
  ];
}

/** The repository, made when there is none. @throws AgentError `recovery-key-wrong` when another key made it */
async function openOrInit(
  store: RepositoryStore,
  { key }: RecoveryKey,
  { server, now, ...options }: OpenOptions & { server: ServerConfig; now: number },
): Promise<Repository> {
  const password = Buffer.from(key, "utf8");
  const open = () => Repository.open(store, password, options);
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    if (error.code === "wrong-password") throw wrongKey(server, store, error);
    if (error.code !== "repository-missing") throw error;
  }
  await Repository.init(store, password, { ...whoIsHere(), now });
  return open();
}

export function wrongKey(server: ServerConfig, store: RepositoryStore, cause: AgentError): AgentError {
  const text = `The repository of ${server.id} at ${store.place} was made with another recovery key than this host's. If it is from an earlier host, put that one's key here with "reconsync recovery-key --import"; otherwise choose another place.`;
  return new AgentError("recovery-key-wrong", text, { cause });
}

/** What becomes of the second copy. Nothing of it fails a backup. */
class MirrorNotes {
  readonly #server: ServerConfig;
  readonly #log: BackupRequest["log"];
  #behind: string | undefined;
  #readFromSecond: string | undefined;
  #damaged = 0;

  constructor(server: ServerConfig, log: BackupRequest["log"]) {
    this.#server = server;
    this.#log = log;
  }

  add({ kind, error }: MirrorProblem): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#log.warn({ server: this.#server.id, kind, err: error }, "the second copy of the repository has a problem");
    if (kind === "behind") this.#behind = why;
    else this.#readFromSecond = why;
  }

  /** Before a backup, so that it need not be caught up with later; and after it, when it fell behind. */
  async catchUp(store: RepositoryStore, signal: AbortSignal): Promise<void> {
    if (!(store instanceof MirroredStore) || !store.behind) return;
    try {
      this.#damaged = (await store.catchUp({ signal })).damaged;
      if (!store.behind) this.#behind = undefined;
    } catch (error) {
      signal.throwIfAborted();
      this.add({ kind: "behind", error });
    }
  }

  warnings(): string[] {
    const warnings: string[] = [];
    if (this.#behind !== undefined) warnings.push(`The second copy does not have this backup yet: ${this.#behind}`);
    if (this.#readFromSecond !== undefined) warnings.push(`Parts had to be read from the second copy: ${this.#readFromSecond}`);
    if (this.#damaged > 0)
      warnings.push(`${this.#damaged} files of the repository are damaged and were not copied: run "reconsync repository verify".`);
    return warnings;
  }
}
