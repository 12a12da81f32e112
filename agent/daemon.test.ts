import { describe, expect, test } from "vitest";
import type { BackupEngine } from "./backup/engine.ts";
import { systemClock } from "./clock.ts";
import { WorkerClient } from "./control-plane/worker-client.ts";
import { runDaemon } from "./daemon.ts";
import {
  backupResult,
  enrolledState,
  eventually,
  fakeWorker,
  hostConfig,
  memoryLogger,
  serverConfig,
  testHost,
} from "./testing/fixtures.ts";

async function running(given: { backup?: BackupEngine["backup"]; graceMs?: number } = {}) {
  const worker = await fakeWorker();
  const state = await enrolledState(worker);
  const servers = [serverConfig("island")];
  const { log, lines } = memoryLogger();
  const stop = new AbortController();
  const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
  const host = testHost(state.file, servers, given);
  const config = hostConfig(state.file, servers);
  const ended = runDaemon({ config, state, plane, host, clock: systemClock, log, graceMs: given.graceMs }, stop.signal);
  return { worker, state, lines, stop, ended };
}

const untilAborted: BackupEngine["backup"] = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

describe("the daemon", () => {
  test("announces its servers and what it saw of them, does jobs, and ends when stopped", async () => {
    const { worker, stop, ended } = await running();
    const job = worker.jobs.enqueue("backup", { server: "island" });
    await eventually(() => job.state === "succeeded", "the job succeeds");
    await eventually(() => worker.jobs.polls.at(-1)?.status.length === 1, "a poll brings a look at the server");
    expect(worker.jobs.polls.at(-1)).toMatchObject({
      heartbeat: { configHash: "0".repeat(64) },
      servers: [{ id: "island", gameName: "Test Game" }],
    });
    stop.abort();
    await ended;
  });

  test("hands a job back that does not end within the grace, and delivers that before it ends", async () => {
    const { worker, stop, ended, state } = await running({ backup: untilAborted, graceMs: 50 });
    const job = worker.jobs.enqueue("backup", { server: "island" });
    await eventually(() => state.journal.get(job.id)?.state === "running", "it runs");
    stop.abort();
    await ended;
    expect(job.outcomes).toMatchObject([{ state: "returned" }]);
    expect(state.outbox.size).toBe(0);
  });

  test("keeps what it cannot deliver when it ends", async () => {
    const { worker, stop, ended, state, lines } = await running({ backup: untilAborted, graceMs: 50 });
    const job = worker.jobs.enqueue("backup", { server: "island" });
    await eventually(() => state.journal.get(job.id)?.state === "running", "it runs");
    await worker.stop();
    stop.abort();
    await ended;
    expect(state.outbox.leases()).toMatchObject([{ job: job.id }]);
    expect(lines.some(({ left }) => left === 1)).toBe(true);
  });

  test("stops its jobs and ends for good when the host is revoked", async () => {
    const stopped: unknown[] = [];
    const { worker, ended, state } = await running({
      backup: async (request) => {
        request.report({ phase: "archiving", done: 1, total: 2 });
        return untilAborted(request).catch((error: unknown) => {
          stopped.push(error);
          throw error;
        });
      },
    });
    const job = worker.jobs.enqueue("backup", { server: "island" });
    await eventually(() => job.progress.length > 0, "it runs");
    worker.revokeAll();
    // The poll that is held does not hear of it; the next request does.
    worker.jobs.enqueue("status", { servers: [] });
    await expect(ended).rejects.toMatchObject({ code: "host-revoked", exitCode: 77 });
    expect(stopped).toHaveLength(1);
    expect(job.outcomes).toEqual([]);
    expect(state.identity.get()?.revokedAt).toBeDefined();
  });

  test("a failure of its own state ends it with that failure", async () => {
    const { worker, ended, state } = await running({ backup: async () => backupResult("island") });
    await eventually(() => worker.jobs.polls.length > 0, "it polls");
    state.close();
    worker.jobs.enqueue("backup", { server: "island" });
    await expect(ended).rejects.toThrow("database is not open");
  });
});
