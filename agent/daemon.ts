import type { Clock } from "./clock.ts";
import type { LiveConfig } from "./config/live-config.ts";
import { tendOutputLogs } from "./control/output-log.ts";
import type { ControlPlane } from "./control-plane/control-plane.ts";
import { announced, heartbeatOf } from "./control-plane/heartbeat.ts";
import { Observations } from "./control-plane/observations.ts";
import { Outbox } from "./control-plane/outbox.ts";
import { isFinal, type PollDeps, pollUntilStopped } from "./control-plane/poll-loop.ts";
import { Renewal } from "./control-plane/renewal.ts";
import type { Component, PollOutcome } from "./health/agent-metrics.ts";
import { Telemetry } from "./health/telemetry.ts";
import type { Host } from "./jobs/host.ts";
import { JOB_KINDS, type JobKinds } from "./jobs/kinds.ts";
import { JobRunner } from "./jobs/runner.ts";
import type { Logger } from "./logger.ts";
import { scheduleTimes } from "./schedules/schedule-times.ts";
import { Scheduler } from "./schedules/scheduler.ts";
import type { AgentState } from "./state/state.ts";
import type { VerificationDeps } from "./verification/subject.ts";
import { Verifier } from "./verification/verifier.ts";

/** After the signal to stop, running jobs may go on for so long, in milliseconds. systemd kills after 90 s (DefaultTimeoutStopSec). */
export const GRACE_MS = 10_000;
/** A job that was told to stop gets so long to clean up, in milliseconds. */
export const CLEAN_UP_MS = 20_000;
/** The last results may take so long to deliver, in milliseconds; what is left waits for the next start. */
export const FLUSH_MS = 10_000;

export interface DaemonDeps {
  config: LiveConfig;
  /** Puts another config in force when its file changes, until the signal fires. */
  reload?: (signal: AbortSignal) => Promise<void>;
  state: AgentState;
  plane: ControlPlane;
  host: Host;
  clock: Clock;
  log: Logger;
  kinds?: JobKinds;
  graceMs?: number;
  /** At least 0, below 1. */
  random?: () => number;
  telemetry?: Telemetry;
  /** How the places of repositories are reached. Absent: backups are not verified by themselves. */
  places?: VerificationDeps["places"];
}

/**
 * `reconsync run`: polls, does jobs and delivers results until the signal fires; then running jobs are finished or handed back.
 * Whoever calls it holds the daemon's lock.
 * @throws AgentError `host-revoked`, `not-enrolled`, `agent-too-old`: the agent cannot go on without a person
 */
export async function runDaemon(deps: DaemonDeps, signal: AbortSignal): Promise<void> {
  const { config, reload, state, plane, host, clock, log, kinds = JOB_KINDS, graceMs = GRACE_MS, random = Math.random } = deps;
  const telemetry = deps.telemetry ?? new Telemetry({ clock });
  const { beats } = telemetry;
  const logOf = (component: Component) => log.child({ component });
  const stopped = new AbortController();
  let fatal: { error: unknown } | undefined;
  const onFatal = (error: unknown) => {
    fatal ??= { error };
    stopped.abort();
  };
  const stop = () => stopped.abort();
  stopped.signal.addEventListener("abort", () => telemetry.stopping(), { once: true });
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();

  const outbox = new Outbox({ state, plane, clock, log: logOf("outbox"), random, telemetry });
  const onResult = () => {
    outbox.ring();
    // It may have been the result of a pause.
    scheduler.ring();
  };
  const runner = new JobRunner({ state, host, kinds, plane, clock, log: logOf("jobs"), onResult, onFatal, telemetry });
  const scheduler = new Scheduler({
    ...{ config: config.current, state, host, slots: runner.slotsOf("backup"), clock, log: logOf("schedules") },
    loopClock: beats.clock("schedules", clock),
    onReport: () => outbox.ring(),
    watch: (facts) => telemetry.work(facts),
  });
  const verifier =
    deps.places === undefined
      ? undefined
      : new Verifier({
          ...{ config: config.current, state, places: deps.places, clock, log: logOf("verification") },
          lockBackup: (server) => host.lockBackup(server),
          onReport: () => outbox.ring(),
        });
  telemetry.oddJobs = () => runner.oddJobs;
  telemetry.schedules = () => scheduleTimes(state.schedules, clock.now());
  const observations = new Observations({ host, clock: beats.clock("observations", clock), log: logOf("observations") });
  const startedAt = clock.now();
  const compose: PollDeps["compose"] = () => {
    telemetry.polling();
    return {
      heartbeat: heartbeatOf(startedAt, config.current.hash),
      servers: announced(config.current, state.schedules),
      status: observations.status,
      load: observations.load,
      running: runner.leases,
      room: runner.room,
      clock: clock.now(),
      configProblem: config.problem,
      retention: state.retention.hash,
    };
  };
  const take: PollDeps["take"] = ({ jobs, cancel, retention }) => {
    if (retention !== undefined) {
      if (state.retention.take(retention)) log.info("the guild has said which backups stay");
      else log.warn("the guild has said which backups stay in a way that this agent does not know; it removes none until it is updated");
    }
    runner.cancel(cancel);
    runner.accept(jobs);
  };
  const onRecovered = () => outbox.hurry();
  const onPolled = (outcome: PollOutcome) => telemetry.polled(outcome);
  const polls = { plane, clock: beats.clock("polls", clock), random, log: logOf("polls"), onPolled };
  const renewal = new Renewal();
  const leaves = [
    config.subscribe(() => scheduler.replace(config.current)),
    config.subscribe(() => verifier?.replace(config.current)),
    config.subscribe(onNews(config, { renewal, observations })),
  ];
  log.info({ host: state.identity.get()?.host, servers: config.current.servers.map(({ id }) => id) }, "the agent runs");

  const onLogError = (server: string, error: unknown) =>
    logOf("agent").warn({ server, err: error }, "what the server prints cannot be kept below its cap");
  const delivering = new AbortController();
  const loops = [
    outbox.run(delivering.signal),
    observations.run(stopped.signal),
    scheduler.run(stopped.signal),
    recover(host, log),
    tendOutputLogs({ servers: () => config.current.servers, clock, onError: onLogError }, stopped.signal),
    host.saves.run(stopped.signal),
    runner.resume().then(() => pollUntilStopped({ ...polls, compose, take, onRecovered, renewal }, stopped.signal)),
    ...(reload === undefined ? [] : [reload(stopped.signal)]),
  ].map((loop) => loop.catch(onFatal));
  const verifying = (verifier?.run(stopped.signal) ?? Promise.resolve()).catch(onFatal);

  try {
    await aborted(stopped.signal);
    log.info(fatal === undefined ? "stopping" : "stopping after a failure");
    await windDown(runner, { clock, log, graceMs: fatal === undefined ? graceMs : 0, refused: isFinal(fatal?.error) });
  } finally {
    signal.removeEventListener("abort", stop);
    for (const leave of leaves) leave();
    delivering.abort();
    await Promise.all(loops);
    // What a drill has made stands in the state: the next start removes what there is no time for.
    if (!(await endsWithin(verifying, CLEAN_UP_MS, clock)))
      log.warn("a verification did not stop in time; what it left behind goes at the next start");
  }
  if (fatal !== undefined) throw fatal.error;
  if (state.outbox.size > 0) {
    const left = await outbox.flush(FLUSH_MS);
    if (left > 0) log.warn({ left }, "some results could not be delivered; they go out when the agent runs again");
  }
  log.info("stopped");
}

/** Tells the guild at once of another config, or of what is wrong with it. Other passwords alone are no news. */
function onNews(config: LiveConfig, { renewal, observations }: { renewal: Renewal; observations: Observations }): () => void {
  const news = () => `${config.current.hash} ${config.problem?.message ?? ""}`;
  let told = news();
  return () => {
    observations.hurry();
    const now = news();
    if (now !== told) renewal.renew();
    told = now;
  };
}

/** Restores that broke off come first: nothing else works on their servers meanwhile. What goes wrong is told in the log, and the agent goes on. */
async function recover(host: Host, log: Logger): Promise<void> {
  try {
    await host.recoverRestores();
  } catch (error) {
    log.error({ err: error }, "a restore that broke off could not be ended; it is tried again at the next start");
  }
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
