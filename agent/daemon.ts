import type { Clock } from "./clock.ts";
import type { HostConfig } from "./config/host-config.ts";
import type { ControlPlane } from "./control-plane/control-plane.ts";
import { announced, heartbeatOf } from "./control-plane/heartbeat.ts";
import { Observations } from "./control-plane/observations.ts";
import { Outbox } from "./control-plane/outbox.ts";
import { isFinal, pollUntilStopped } from "./control-plane/poll-loop.ts";
import type { Host } from "./jobs/host.ts";
import { JOB_KINDS, type JobKinds } from "./jobs/kinds.ts";
import { JobRunner } from "./jobs/runner.ts";
import type { Logger } from "./logger.ts";
import type { AgentState } from "./state/state.ts";

/** After the signal to stop, running jobs may go on for so long, in milliseconds. systemd kills after 90 s (DefaultTimeoutStopSec). */
export const GRACE_MS = 10_000;
/** A job that was told to stop gets so long to clean up, in milliseconds. */
const CLEAN_UP_MS = 20_000;
/** The last results may take so long to deliver, in milliseconds; what is left waits for the next start. */
const FLUSH_MS = 10_000;

export interface DaemonDeps {
  config: HostConfig;
  state: AgentState;
  plane: ControlPlane;
  host: Host;
  clock: Clock;
  log: Logger;
  kinds?: JobKinds;
  graceMs?: number;
  /** At least 0, below 1. */
  random?: () => number;
}

/**
 * `reconsync run`: polls, does jobs and delivers results until the signal fires; then running jobs are finished or handed back.
 * Whoever calls it holds the daemon's lock.
 * @throws AgentError `host-revoked`, `not-enrolled`, `agent-too-old`: the agent cannot go on without a person
 */
export async function runDaemon(deps: DaemonDeps, signal: AbortSignal): Promise<void> {
  const { config, state, plane, host, clock, log, kinds = JOB_KINDS, graceMs = GRACE_MS, random = Math.random } = deps;
  const stopped = new AbortController();
  let fatal: { error: unknown } | undefined;
  const onFatal = (error: unknown) => {
    fatal ??= { error };
    stopped.abort();
  };
  const stop = () => stopped.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();

  const outbox = new Outbox({ state, plane, clock, log, random });
  const runner = new JobRunner({ state, host, kinds, plane, clock, log, onResult: () => outbox.ring(), onFatal });
  const observations = new Observations({ host, clock, log });
  const heartbeat = heartbeatOf(clock.now(), config.hash);
  const servers = announced(config);
  log.info({ host: state.identity.get()?.host, servers: servers.map(({ id }) => id) }, "the agent runs");

  const delivering = new AbortController();
  const loops = [
    outbox.run(delivering.signal),
    observations.run(stopped.signal),
    runner.resume().then(() =>
      pollUntilStopped(
        {
          plane,
          clock,
          log,
          random,
          compose: () => ({
            heartbeat,
            servers,
            status: observations.status,
            load: observations.load,
            running: runner.leases,
            room: runner.room,
          }),
          take: ({ jobs, cancel }) => {
            runner.cancel(cancel);
            runner.accept(jobs);
          },
          onRecovered: () => outbox.hurry(),
        },
        stopped.signal,
      ),
    ),
  ].map((loop) => loop.catch(onFatal));

  try {
    await aborted(stopped.signal);
    log.info(fatal === undefined ? "stopping" : "stopping after a failure");
    await windDown(runner, { clock, log, graceMs: fatal === undefined ? graceMs : 0, refused: isFinal(fatal?.error) });
  } finally {
    signal.removeEventListener("abort", stop);
    delivering.abort();
    await Promise.all(loops);
  }
  if (fatal !== undefined) throw fatal.error;
  if (state.outbox.size > 0) {
    const left = await outbox.flush(FLUSH_MS);
    if (left > 0) log.warn({ left }, "some results could not be delivered; they go out when the agent runs again");
  }
  log.info("stopped");
}

/** Lets jobs end by themselves for a while, then stops them. */
async function windDown(runner: JobRunner, given: { clock: Clock; log: Logger; graceMs: number; refused: boolean }): Promise<void> {
  const { clock, log, graceMs, refused } = given;
  const idle = runner.idle();
  if (await endsWithin(idle, graceMs, clock)) return;
  runner.stopAll(refused ? "refused" : "shutdown");
  if (await endsWithin(idle, CLEAN_UP_MS, clock)) return;
  log.error("a job did not stop in time; it is taken up again when the agent starts");
}

async function endsWithin(task: Promise<void>, ms: number, clock: Clock): Promise<boolean> {
  const enough = new AbortController();
  const timeout = clock.sleep(ms, enough.signal).then(
    () => false,
    (error: unknown) => {
      if (enough.signal.aborted) return true;
      throw error;
    },
  );
  try {
    return await Promise.race([task.then(() => true), timeout]);
  } finally {
    enough.abort();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
