import { expect, onTestFinished } from "vitest";
import type { BackupEngine } from "../backup/engine.ts";
import { systemClock } from "../clock.ts";
import { heartbeatOf } from "../control-plane/heartbeat.ts";
import { Outbox } from "../control-plane/outbox.ts";
import { pollUntilStopped } from "../control-plane/poll-loop.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { JOB_KINDS } from "../jobs/kinds.ts";
import { JobRunner } from "../jobs/runner.ts";
import type { AgentState } from "../state/state.ts";
import { HastyClock } from "./fake-clock.ts";
import type { FakeWorker } from "./fake-worker.ts";
import { backupResult, enrolledState, fakeWorker, memoryLogger, serverConfig, testHost } from "./fixtures.ts";

type Backup = BackupEngine["backup"];

/** A backup that ends when the test says so, or when it is stopped. */
export function heldBackup() {
  const begun: string[] = [];
  const stopped: unknown[] = [];
  const open = Promise.withResolvers<void>();
  const backup: Backup = async ({ server, signal, report }) => {
    begun.push(server.id);
    report({ phase: "archiving", done: 1, total: 2 });
    const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    try {
      await Promise.race([open.promise, aborted]);
    } catch (error) {
      stopped.push(error);
      throw error;
    }
    return backupResult(server.id);
  };
  return { backup, begun, stopped, release: () => open.resolve() };
}

/** A runner with its polls and outbox, as the daemon wires them; every wait is made shorter. */
export async function startedRunner(given: { backup?: Backup; worker?: FakeWorker; state?: AgentState; servers?: string[] } = {}) {
  const worker = given.worker ?? (await fakeWorker());
  const state = given.state ?? (await enrolledState(worker));
  const clock = new HastyClock(50);
  const { log, lines } = memoryLogger();
  const plane = new WorkerClient({ identity: state.identity, clock: systemClock });
  const cleaned: string[] = [];
  const host = testHost(
    state.file,
    (given.servers ?? ["island", "cave"]).map((id) => serverConfig(id)),
    { backup: given.backup, cleaned },
  );
  const fatal: unknown[] = [];
  const outbox = new Outbox({ state, plane, clock, log, random: () => 0 });
  const runner = new JobRunner({
    ...{ state, host, kinds: JOB_KINDS, plane, clock, log },
    onResult: () => outbox.ring(),
    onFatal: (error) => void fatal.push(error),
  });
  const stop = new AbortController();
  const polls = new AbortController();
  const ended = Promise.all([
    outbox.run(stop.signal),
    runner.resume().then(() =>
      pollUntilStopped(
        {
          ...{ plane, clock, log, random: () => 0 },
          compose: () => ({ heartbeat: heartbeatOf(1, ""), servers: [], status: [], running: runner.leases, room: runner.room }),
          take: ({ jobs, cancel }) => {
            runner.cancel(cancel);
            runner.accept(jobs);
          },
          onRecovered: () => outbox.hurry(),
        },
        polls.signal,
      ),
    ),
  ]);
  const end = async () => {
    polls.abort();
    stop.abort();
    runner.stopAll("shutdown");
    await ended;
    await runner.idle();
    expect(fatal).toEqual([]);
  };
  onTestFinished(end);
  return { worker, state, runner, host, lines, cleaned, polls, end };
}
