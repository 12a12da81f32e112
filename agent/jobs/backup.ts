import { AgentError } from "../errors.ts";
import type { Lock } from "../state/lock.ts";
import { type Host, serverOf } from "./host.ts";
import { type JobContext, jobKind } from "./job-kind.ts";

/** How often a job looks whether a backup by hand of the same server has ended, in milliseconds. */
const LOCK_RETRY_MS = 1000;

/** Backs up one server into the store that the host's config names. */
export const backupJob = jobKind(
  "backup",
  async ({ server: id, note }, context) => {
    const { host, job, clock, log, report, signal } = context;
    const server = serverOf(host, id);
    const lock = await waitForLock(id, context);
    try {
      const store = host.storeOf(server);
      if (context.interrupted) await store.cleanUp(id);
      return await host.engineOf(server).backup({ server, store, note, job: { id: job.id, lease: job.lease }, report, signal, clock, log });
    } finally {
      lock.release();
    }
  },
  {
    // The disk is the bottleneck: two at once make both slower, and the game too.
    atOnce: 1,
    cleanUp: async ({ server: id }, host) => {
      const server = host.servers.find((candidate) => candidate.id === id);
      const lock = server === undefined ? undefined : host.lockBackup(id);
      if (server === undefined || lock === undefined) return;
      try {
        await host.storeOf(server).cleanUp(id);
      } finally {
        lock.release();
      }
    },
  },
);

/** @throws AgentError `backup-running` */
export function lockOrRefuse(host: Host, id: string): Lock {
  const lock = host.lockBackup(id);
  if (lock !== undefined) return lock;
  throw new AgentError("backup-running", `a backup of ${id} is running on this host right now; wait for it to end`);
}

/** The job's deadline bounds the wait, through the signal. */
async function waitForLock(id: string, { host, report, signal, clock }: JobContext): Promise<Lock> {
  for (;;) {
    signal.throwIfAborted();
    const lock = host.lockBackup(id);
    if (lock !== undefined) return lock;
    report({ phase: "scanning", done: 0, total: 0, notice: "waits for another backup of this server on the host" });
    await clock.sleep(LOCK_RETRY_MS, signal);
  }
}
