import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Verification } from "../../schemas/index.ts";
import { MANIFEST_SUFFIX } from "../../schemas/manifest.ts";
import { errorCode } from "../backup/error-code.ts";
import { readManifestEnds } from "../backup/manifest.ts";
import { parseArchiveName } from "../backup/names.ts";
import type { VerifyReport } from "../backup/repository/verify/report.ts";
import { verify } from "../backup/repository/verify/run.ts";
import { type Arc, distance, isInArc } from "../backup/repository/verify/share.ts";
import { verifyArchive } from "../backup/verify.ts";
import { checkArchiveStructure } from "../backup/verify-structure.ts";
import { AgentError } from "../errors.ts";
import type { RoundMark } from "../state/verifications-table.ts";
import { Gate } from "./gate.ts";
import { Findings } from "./problems.ts";
import { withRepository, withThreads } from "./repository.ts";
import { advance, dueArc, readShare } from "./round.ts";
import { lockVerification } from "./scratch.ts";
import { alreadyRunning, noBackupYet, notReadable, type VerificationDeps, type VerificationRun } from "./subject.ts";

/** A daily share reads no new packs or archives after this time, in milliseconds; what is left is due the next day. */
export const DAILY_MAX_MS = 20 * 60 * 60_000;

export interface DailyResult {
  verification: Verification;
  /** How far reading has come, to be written down with it. */
  round: RoundMark[];
}

/** What was read, before it is told. */
interface Look {
  findings: Findings;
  files: number;
  bytes: number;
  /** Of the arc; the rest was not reached. */
  steps: number;
}

/**
 * Checks the structure of a server's whole store, and reads the part of its data that is due.
 * @throws PutOff; what the store throws
 */
export async function runDaily(run: VerificationRun, round: readonly RoundMark[], deps: VerificationDeps): Promise<DailyResult> {
  const lock = lockVerification(deps.state.file, run.server.id);
  if (lock === undefined) throw alreadyRunning(run.server.id);
  try {
    return await lookAt(run, round, deps);
  } finally {
    lock.release();
  }
}

async function lookAt(run: VerificationRun, round: readonly RoundMark[], deps: VerificationDeps): Promise<DailyResult> {
  const { clock } = deps;
  const startedAt = clock.now();
  const arc = dueArc(round, startedAt);
  const until = startedAt + (deps.dailyMaxMs ?? DAILY_MAX_MS);
  const look = run.server.backup.format === "zip" ? lookAtArchives : lookAtRepository;
  const { findings, files, bytes, steps } = await look(run, { ...arc, enough: () => clock.now() >= until }, deps);
  const now = clock.now();
  const next = advance(round, steps, now);
  const verification: Verification = {
    server: run.server.id,
    check: "daily",
    outcome: findings.count === 0 ? "passed" : "failed",
    startedAt,
    durationMs: Math.max(0, Math.round(now - startedAt)),
    files,
    bytes,
    share: readShare(next, now),
    problems: findings.problems,
    problemCount: findings.count,
  };
  return { verification, round: next };
}

type TimedArc = Arc & { enough: () => boolean };

async function lookAtRepository({ server, signal, report }: VerificationRun, arc: TimedArc, deps: VerificationDeps): Promise<Look> {
  // The first place by itself: a second one would hide what is wrong with it.
  const alone = { ...server, backup: { ...server.backup, mirror: undefined } };
  const found = await withRepository(alone, deps, signal, ({ repository, signal: locked }) =>
    withThreads(server, (pool) =>
      verify(repository, {
        readData: false,
        arc,
        pool,
        report: ({ phase, done, total = 0 }) => phase === "packs" && report?.({ phase: "reading", done, total }),
        signal: locked,
      }),
    ),
  );
  for (const { snapshots, wrong, kind, name } of found.problems) {
    for (const snapshot of snapshots) deps.state.verifications.doubt(server.id, snapshot, `${kind} ${name}: ${wrong}`, deps.clock.now());
  }
  const steps = found.unread === undefined ? arc.steps : distance(found.unread, arc.from);
  return { findings: findingsOf(found), files: found.packsRead, bytes: found.bytesRead, steps };
}

/** Digits of an id that people are shown. */
const SHORT = 12;

function findingsOf({ problems, problemCount }: VerifyReport): Findings {
  const findings = new Findings();
  for (const { kind, name, wrong, files, fileCount } of problems) {
    const hits =
      fileCount === 0 ? "" : `; ${fileCount === 1 ? "one file" : `${fileCount} files`} in backups need it, such as ${files[0]?.path ?? ""}`;
    findings.add("store", `${kind} ${name.slice(0, SHORT)}`, `${wrong}${hits}`);
  }
  findings.count = problemCount;
  return findings;
}

/** Archives are placed on the circle by the hash of their names. */
export const placeOfArchive = (name: string) => createHash("sha256").update(name).digest("hex");

async function lookAtArchives({ server, signal, report }: VerificationRun, arc: TimedArc, deps: VerificationDeps): Promise<Look> {
  const { state, clock } = deps;
  if (server.backup.store.type !== "local") throw notReadable(server.id);
  const { folder } = server.backup.store;
  const archives = await archivesOf(folder, server.id);
  if (archives.length === 0) throw noBackupYet(server.id);
  const findings = new Findings();
  const doubt = async (name: string, detail: string) => {
    // Retention may have removed it meanwhile.
    if (!(await archivesOf(folder, server.id)).includes(name)) return;
    findings.add("store", name, detail);
    state.verifications.doubt(server.id, name, detail, clock.now());
  };
  const sizes = new Map<string, number>();
  for (const name of archives) {
    signal.throwIfAborted();
    const bytes = await sizeInManifest(join(folder, name));
    if (typeof bytes === "string") await doubt(name, bytes);
    else {
      sizes.set(name, bytes);
      const [wrong] = await checkArchiveStructure(join(folder, name), { bytes, signal });
      if (wrong !== undefined) await doubt(name, wrong);
    }
  }
  const gate = new Gate(() => deps.lockBackup(server.id), clock);
  const due = archives
    .map((name) => ({ name, place: placeOfArchive(name) }))
    .filter(({ name, place }) => sizes.has(name) && isInArc(place, arc))
    .sort((a, b) => distance(a.place, arc.from) - distance(b.place, arc.from));
  const total = due.reduce((sum, { name }) => sum + (sizes.get(name) ?? 0), 0);
  let bytes = 0;
  for (const [files, { name, place }] of due.entries()) {
    if (arc.enough()) return { findings, files, bytes, steps: distance(place, arc.from) };
    const wrong = await readArchive(join(folder, name), signal, () => gate.pass(signal));
    if (wrong !== null) await doubt(name, wrong);
    bytes += sizes.get(name) ?? 0;
    report?.({ phase: "reading", done: bytes, total });
  }
  return { findings, files: due.length, bytes, steps: arc.steps };
}

async function readArchive(archive: string, signal: AbortSignal, mayRead: () => Promise<void>): Promise<string | null> {
  try {
    const { ok, differences } = await verifyArchive(archive, { signal, mayRead });
    const [first] = differences;
    return ok ? null : `${first?.path === undefined ? "" : `${first.path}: `}${first?.detail ?? "it differs from its manifest"}`;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AgentError) return error.message;
    throw error;
  }
}

/** What the manifest says that the archive has; or why it says nothing. */
async function sizeInManifest(archive: string): Promise<number | string> {
  try {
    return (await readManifestEnds(archive + MANIFEST_SUFFIX)).footer.archiveBytes;
  } catch (error) {
    if (error instanceof AgentError) return error.message;
    throw error;
  }
}

/** Archives of a server that have a manifest beside them, oldest first. Those without one were not made here. */
export async function archivesOf(folder: string, server: string): Promise<string[]> {
  const names = new Set(
    await readdir(folder).catch((error: unknown) => {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    }),
  );
  const ours = [...names].filter((name) => parseArchiveName(name)?.server === server && names.has(name + MANIFEST_SUFFIX));
  return ours.sort((a, b) => (parseArchiveName(a)?.at ?? 0) - (parseArchiveName(b)?.at ?? 0));
}
