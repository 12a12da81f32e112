import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BackupRef, GameCheckKind, Verification } from "../../schemas/index.ts";
import { MANIFEST_SUFFIX } from "../../schemas/manifest.ts";
import { errorCode } from "../backup/error-code.ts";
import { readManifestEnds } from "../backup/manifest.ts";
import { REPORT_NAME } from "../backup/repository/backup/report.ts";
import type { Snapshot } from "../backup/repository/format/snapshot.ts";
import { measureTree } from "../backup/repository/restore/measure.ts";
import type { RestoreProblemKind } from "../backup/repository/restore/problems.ts";
import { restore } from "../backup/repository/restore/run.ts";
import { freeSpace, isFull } from "../backup/repository/restore/space.ts";
import { AgentError } from "../errors.ts";
import { archivesOf } from "./daily.ts";
import { extract } from "./extract.ts";
import { checkGame } from "./game.ts";
import { Gate } from "./gate.ts";
import { Findings } from "./problems.ts";
import { withRepository, withThreads } from "./repository.ts";
import { inScratchFolder, lockVerification, removeLeftovers, scratchFolderOf } from "./scratch.ts";
import { inServerFolder, namesOfSource, tornPaths } from "./snapshot-paths.ts";
import { alreadyRunning, noBackupYet, notReadable, PutOff, type VerificationDeps, type VerificationRun } from "./subject.ts";

/** A drill that takes longer is stopped and put off, in milliseconds. */
export const DRILL_MAX_MS = 12 * 60 * 60_000;
/** So much stays free on the volume beside what the drill writes: the game and its logs go on meanwhile. In bytes. */
export const FREE_LEFT_BYTES = 1024 * 1024 * 1024;
/** As restore/run.ts counts. In bytes. */
const FILE_ROOM_BYTES = 8192;

/** What came out of a backup. */
interface Restored {
  backup: BackupRef;
  madeAt: number;
  files: number;
  bytes: number;
  /** Files that the backup itself says had changed while they were read, relative to the server's folder. */
  torn: ReadonlySet<string>;
  /** The folder that holds what the server's folder held. */
  root: string;
}

/** Which problems of a restore are problems of the backup: a drill restores no owners, and special files hold nothing. */
const OF_THE_BACKUP: ReadonlySet<RestoreProblemKind> = new Set(["damaged", "unwritable", "size"]);

/**
 * Restores the newest backup of a server into a scratch folder, by the code that restores for people, looks at every file that came out, and removes all of
 * it again.
 * @throws PutOff: it cannot be done now; AgentError `drill-running`; what the store and the disk throw
 */
export async function runDrill(run: VerificationRun, deps: VerificationDeps): Promise<Verification> {
  const { server } = run;
  const { state, clock, log } = deps;
  await removeLeftovers(state.file, state, log);
  const lock = lockVerification(state.file, server.id);
  if (lock === undefined) throw alreadyRunning(server.id);
  const startedAt = clock.now();
  const over = new AbortController();
  const done = new AbortController();
  const timer = clock.sleep(DRILL_MAX_MS, done.signal).then(
    () => over.abort(tookTooLong(server.id)),
    () => undefined,
  );
  const signal = AbortSignal.any([run.signal, over.signal]);
  try {
    if (!new Gate(() => deps.lockBackup(server.id), clock).isFree) {
      throw new PutOff("drill-busy", `${server.id} is backed up or restored right now. Try again when that has ended.`);
    }
    const findings = new Findings();
    const parent = scratchFolderOf(server, state.file);
    const inFolder = <T>(work: (folder: string) => Promise<T>) => inScratchFolder(parent, server.id, { state, now: startedAt, log }, work);
    const drill = server.backup.format === "zip" ? drillArchive : drillSnapshot;
    const { restored, checks } = await drill({ ...run, signal }, { deps, parent, inFolder, findings });
    return {
      server: server.id,
      check: "drill",
      outcome: findings.count === 0 ? "passed" : "failed",
      backup: restored.backup,
      madeAt: restored.madeAt,
      startedAt,
      durationMs: Math.max(0, Math.round(clock.now() - startedAt)),
      files: restored.files,
      bytes: restored.bytes,
      checks,
      problems: findings.problems,
      problemCount: findings.count,
    };
  } catch (error) {
    if (over.signal.aborted && !run.signal.aborted) throw over.signal.reason;
    throw spaceRanOut(error, server.id);
  } finally {
    done.abort();
    await timer;
    lock.release();
  }
}

interface DrillParts {
  deps: VerificationDeps;
  parent: string;
  inFolder: <T>(work: (folder: string) => Promise<T>) => Promise<T>;
  findings: Findings;
}

interface Drilled {
  restored: Restored;
  checks: { kind: GameCheckKind; files: number }[];
}

function drillSnapshot(run: VerificationRun, { deps, parent, inFolder, findings }: DrillParts): Promise<Drilled> {
  const { server } = run;
  return withRepository(server, deps, run.signal, async ({ repository, signal }) => {
    const snapshot = await repository
      .findSnapshot("latest", { tags: [`reconsync:server=${server.id}`] }, signal)
      .catch((error: unknown) => {
        throw error instanceof AgentError && error.code === "snapshot-missing" ? noBackupYet(server.id) : error;
      });
    await repository.loadIndex(signal);
    const size = snapshot.summary ?? (await sizeOf(repository, snapshot, parent, signal));
    await needSpace(parent, server.id, size.totalBytes, size.totalFiles, deps);
    return inFolder((folder) =>
      withThreads(server, async (pool) => {
        const summary = await restore(repository, snapshot, {
          target: join(folder, "restored"),
          pool,
          report: ({ bytesDone, bytesTotal }) => run.report?.({ phase: "restoring", done: bytesDone, total: bytesTotal }),
          signal,
        });
        const [source = "/"] = snapshot.paths;
        const root = join(folder, "restored", ...namesOfSource(source));
        for (const { kind, path, detail } of summary.problems) {
          if (OF_THE_BACKUP.has(kind)) findings.add("restore", inServerFolder(source, path), detail);
        }
        const torn = await tornIn(join(folder, "restored", REPORT_NAME), source);
        const restored: Restored = {
          backup: { format: "repository", snapshot: snapshot.id },
          madeAt: Date.parse(snapshot.time),
          files: summary.files,
          bytes: summary.bytes,
          torn,
          root,
        };
        const checks = await checkGame({ ...run, signal }, { root, temporary: folder, torn, pool, findings });
        return { restored, checks };
      }),
    );
  });
}

async function sizeOf(repository: Parameters<typeof measureTree>[0], snapshot: Snapshot, target: string, signal: AbortSignal) {
  const { files, bytes } = await measureTree(
    repository,
    { tree: snapshot.tree, prefix: Buffer.alloc(0), target, filter: undefined, platform: process.platform, signal },
    false,
  );
  return { totalFiles: files, totalBytes: bytes };
}

async function drillArchive(run: VerificationRun, { deps, parent, inFolder, findings }: DrillParts): Promise<Drilled> {
  const { server, signal } = run;
  if (server.backup.store.type !== "local") throw notReadable(server.id);
  const { folder: store } = server.backup.store;
  const archive = (await archivesOf(store, server.id)).at(-1);
  if (archive === undefined) throw noBackupYet(server.id);
  const { header, footer } = await readManifestEnds(join(store, archive) + MANIFEST_SUFFIX, signal);
  await needSpace(parent, server.id, footer.sourceBytes, footer.files, deps);
  const gate = new Gate(() => deps.lockBackup(server.id), deps.clock);
  return inFolder((folder) =>
    withThreads(server, async (pool) => {
      const root = join(folder, "restored");
      const { files, bytes, problems, torn } = await extract(join(store, archive), root, {
        signal,
        mayRead: () => gate.pass(signal),
        onBytes: (done) => run.report?.({ phase: "restoring", done, total: footer.sourceBytes }),
      });
      for (const { path, detail } of problems) findings.add("restore", path, detail);
      const backup: BackupRef = { format: "zip", archive, store: "local" };
      const restored: Restored = { backup, madeAt: Date.parse(header.createdAt), files, bytes, torn, root };
      const checks = await checkGame({ ...run, signal }, { root, temporary: folder, torn, pool, findings });
      return { restored, checks };
    }),
  );
}

async function needSpace(
  parent: string,
  server: string,
  bytes: number,
  files: number,
  { freeLeftBytes = FREE_LEFT_BYTES }: VerificationDeps,
): Promise<void> {
  const needed = bytes + files * FILE_ROOM_BYTES + freeLeftBytes;
  const free = await freeSpace(parent);
  if (free < needed) throw noSpace(server, `${parent} has ${megabytes(free)} free, and the drill needs ${megabytes(needed)}`);
}

function noSpace(server: string, what: string): PutOff {
  return new PutOff(
    "drill-no-space",
    `The restore drill of ${server} is put off: ${what}. Free some space, or name another folder with verify.scratch in the config.`,
  );
}

/** A volume that ran full meanwhile is no fault of the backup. */
function spaceRanOut(error: unknown, server: string): unknown {
  const full = isFull(errorCode(error)) || (error instanceof AgentError && error.code === "restore-no-space");
  return full ? noSpace(server, "the volume of its scratch folder ran full") : error;
}

function tookTooLong(server: string): PutOff {
  const hours = DRILL_MAX_MS / 3_600_000;
  return new PutOff(
    "drill-too-long",
    `The restore drill of ${server} took more than ${hours} hours and was stopped. Look at the speed of the place that backups lie at, and of the scratch folder.`,
  );
}

const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;

/** Files that the backup's own report says had changed while they were read. */
async function tornIn(file: string, source: string): Promise<Set<string>> {
  try {
    return tornPaths(await readFile(file, "utf8"), source);
  } catch (error) {
    // A backup with nothing to tell has no report.
    if (errorCode(error) === "ENOENT") return new Set();
    throw error;
  }
}
