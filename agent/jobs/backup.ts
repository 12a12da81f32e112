import type { BackupResult } from "../../schemas/index.ts";
import type { BackupEngine, BackupRequest } from "../backup/engine.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { AgentError } from "../errors.ts";
import type { Lock } from "../state/lock.ts";
import { type Host, serverOf } from "./host.ts";
import { type JobContext, jobKind } from "./job-kind.ts";

/** How often a job looks whether a backup by hand of the same server has ended, in milliseconds. */
const LOCK_RETRY_MS = 1000;

/** What a backup needs from whoever runs it: a job, or a schedule. */
export type BackupContext = Omit<JobContext, "job">;

/** Backs up one server into the store that the host's config names. */
export const backupJob = jobKind(
  "backup",
  ({ server: id, note }, context) => {
    const { id: job, lease } = context.job;
    return whileLocked(id, context, (server) => backUp(server, { note, job: { id: job, lease } }, context));
  },
  {
    // The disk is the bottleneck: two at once make both slower, and the game too.
    atOnce: 1,
    cleanUp: ({ server: id }, host) => cleanUpBackup(id, host),
  },
);

/** Does `work` while nobody else backs this server up. The signal bounds the wait for that. */
export async function whileLocked<T>(id: string, context: BackupContext, work: (server: ServerConfig) => Promise<T>): Promise<T> {
  const server = serverOf(context.host, id);
  const lock = await waitForLock(id, context);
  try {
    return await work(server);
  } finally {
    lock.release();
  }
}

/** Makes one backup, while saves of the server are held where its config knows how. Whoever calls it holds the server's lock. */
export async function backUp(server: ServerConfig, asked: Asked, context: BackupContext): Promise<BackupResult> {
  const engine = await engineFor(server, context);
  return context.host.saves.whileHeld(server, context, (saves) => engine.backup({ ...requestOf(server, asked, context), saves }));
}

/** The same, unless it would hold what the last backup holds: then null. */
export async function backUpIfChanged(server: ServerConfig, asked: Asked, context: BackupContext): Promise<BackupResult | null> {
  const engine = await engineFor(server, context);
  return context.host.saves.whileHeld(server, context, (saves) => engine.backupIfChanged({ ...requestOf(server, asked, context), saves }), {
    onlyIfTouched: true,
  });
}

type Asked = Pick<BackupRequest, "note" | "job">;

async function engineFor(server: ServerConfig, { host, interrupted }: BackupContext): Promise<BackupEngine> {
  const engine = host.engineOf(server);
  if (interrupted) await engine.cleanUp(server.id);
  return engine;
}

function requestOf(server: ServerConfig, asked: Asked, { report, signal, clock, log }: BackupContext): BackupRequest {
  return { ...asked, server, report, signal, clock, log };
}

/** Removes what a backup that will not be made again has left behind, unless another one is at work. */
export async function cleanUpBackup(id: string, host: Host): Promise<void> {
  const server = host.servers.find((candidate) => candidate.id === id);
  const lock = server === undefined ? undefined : host.lockBackup(id);
  if (server === undefined || lock === undefined) return;
  try {
    await host.engineOf(server).cleanUp(id);
  } finally {
    lock.release();
  }
}

/** @throws AgentError `backup-running` */
export function lockOrRefuse(host: Host, id: string): Lock {
  const lock = host.lockBackup(id);
  if (lock !== undefined) return lock;
  throw new AgentError("backup-running", `a backup of ${id} is running on this host right now; wait for it to end`);
}

/** The job's deadline bounds the wait, through the signal. */
async function waitForLock(id: string, { host, report, signal, clock }: BackupContext): Promise<Lock> {
  for (;;) {
    signal.throwIfAborted();
    const lock = host.lockBackup(id);
    if (lock !== undefined) return lock;
    report({ phase: "scanning", done: 0, total: 0, notice: "waits for another backup of this server on the host" });
    await clock.sleep(LOCK_RETRY_MS, signal);
  }
}
