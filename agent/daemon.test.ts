import { describe, expect, test } from "vitest";
import type { BackupEngine } from "./backup/engine.ts";
import { systemClock } from "./clock.ts";
import { LiveConfig } from "./config/live-config.ts";
import { WorkerClient } from "./control-plane/worker-client.ts";
import { runDaemon } from "./daemon.ts";
import type { Host } from "./jobs/host.ts";
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
  const config = new LiveConfig(hostConfig(state.file, servers));
  const host: Host = {
    ...testHost(state.file, servers, given),
    get servers() {
      return config.current.servers;
    },
  };
  const ended = runDaemon({ config, state, plane, host, clock: systemClock, log, graceMs: given.graceMs }, stop.signal);
  return { worker, state, config, lines, stop, ended };
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

  test("takes what the guild says of retention once, and keeps it; what it cannot read it is not told in a circle", async () => {
    const { worker, state, lines, stop, ended } = await running();
    worker.jobs.orders = { hash: "h1", servers: [{ server: "island", policy: { daily: 7, zone: "UTC" }, frozen: false, marks: [] }] };
    await eventually(() => worker.jobs.polls.at(-1)?.retention === "h1", "a poll says that it knows");
    expect(state.retention.of("island")).toMatchObject({ policy: { daily: 7 } });
    worker.jobs.orders = { hash: "h2", servers: [{ server: "island", policy: "of another kind" }] };
    worker.jobs.enqueue("backup", { server: "island" });
    await eventually(() => worker.jobs.polls.at(-1)?.retention === "h2", "it does not ask again");
    expect(state.retention.of("island")).toMatchObject({ frozen: true });
    expect(JSON.stringify(lines)).toContain("in a way that this agent does not know");
    stop.abort();
    await ended;
  });

  test("with another config it tells the guild at once, and jobs at work keep the one they began with", async () => {
    const gate = Promise.withResolvers<void>();
    const notes: string[] = [];
    const { worker, config, state, stop, ended } = await running({
      backup: async ({ server }) => {
        notes.push(`begins in ${server.folder}`);
        await gate.promise;
        notes.push(`ends in ${server.folder}`);
        return backupResult(server.id);
      },
    });
    const job = worker.jobs.enqueue("backup", { server: "island" });
    await eventually(() => notes.length === 1 && worker.jobs.held === 1, "the backup runs and a poll is held");
    const moved = [serverConfig("island", "/srv/moved"), serverConfig("cave")];
    config.replace({ ...hostConfig(state.file, moved), hash: "1".repeat(64) });
    await eventually(() => worker.jobs.polls.at(-1)?.heartbeat.configHash === "1".repeat(64), "the next poll");
    expect(worker.jobs.polls.at(-1)?.servers.map(({ id }) => id)).toEqual(["island", "cave"]);
    gate.resolve();
    await eventually(() => job.state === "succeeded", "the job succeeds");
    const next = worker.jobs.enqueue("backup", { server: "island" });
    await eventually(() => next.state === "succeeded", "the next one too");
    expect(notes).toEqual(["begins in /srv/game", "ends in /srv/game", "begins in /srv/moved", "ends in /srv/moved"]);
    stop.abort();
    await ended;
  });

  test("tells the guild what is wrong with a config, in each poll until it is good again", async () => {
    const { worker, config, state, stop, ended } = await running();
    const held = () => worker.jobs.held === 1 && worker.jobs.polls.at(-1);
    await eventually(() => held() && worker.jobs.polls.length >= 2, "a poll is held");
    expect(worker.jobs.polls.at(-1)?.clock).toBeGreaterThan(0);
    const problem = { code: "config-invalid", message: "config.yaml:1:1: broken" };
    config.refuse(problem);
    await eventually(() => worker.jobs.polls.at(-1)?.configProblem?.message === problem.message, "it is told");
    const count = worker.jobs.polls.length;
    config.refuse({ ...problem });
    worker.jobs.enqueue("status", { servers: [] });
    await eventually(() => worker.jobs.polls.length > count && held(), "the poll after a job");
    expect(worker.jobs.polls.at(-1)).toMatchObject({ configProblem: problem, heartbeat: { configHash: "0".repeat(64) } });
    config.replace(hostConfig(state.file, [serverConfig("island")]));
    await eventually(() => worker.jobs.polls.at(-1)?.configProblem === undefined, "it is good again");
    stop.abort();
    await ended;
  });

  test("other secrets alone are no reason to poll", async () => {
    const { worker, config, state, stop, ended } = await running();
    await eventually(() => worker.jobs.held === 1 && worker.jobs.polls.length >= 2, "a long poll is held");
    const count = worker.jobs.polls.length;
    config.replace(hostConfig(state.file, [serverConfig("island")]));
    config.replace({ ...hostConfig(state.file, [serverConfig("island")]), hash: "2".repeat(64) });
    await eventually(() => worker.jobs.polls.at(-1)?.heartbeat.configHash === "2".repeat(64), "the change that is one");
    expect(worker.jobs.polls).toHaveLength(count + 1);
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
