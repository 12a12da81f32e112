import {
  type BackupResult,
  backupName,
  newTraceparent,
  type Progress,
  type RunOutcome,
  type ScheduledRun,
  type Traceparent,
  traceIdOf,
} from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { backUp, backUpIfChanged, cleanUpBackup, whileLocked } from "../jobs/backup.ts";
import type { Host } from "../jobs/host.ts";
import { failed, JobStopped, outcomeOf } from "../jobs/outcomes.ts";
import { INTERRUPTIONS_MAX } from "../jobs/runner.ts";
import type { Slots } from "../jobs/slots.ts";
import type { Logger } from "../logger.ts";
import type { RunRow } from "../state/runs-table.ts";
import type { AgentState } from "../state/state.ts";
import { sleepUntil } from "./sleep-until.ts";

/** A run that takes longer is stopped, in milliseconds: as long as the guild gives a backup job. */
export const RUN_MAX_MS = 24 * 60 * 60_000;

/** How metrics and traces follow a run. */
export interface RunWatch {
  run<T>(task: () => T): T;
  phase(name: Progress["phase"]): void;
  end(end: { state: "succeeded" | "failed" | "skipped" | "returned"; code?: string; backup?: BackupResult }): void;
}
export type WatchRun = (facts: { kind: "backup"; server: string; schedule: string; parent: Traceparent }) => RunWatch;

export interface RunDeps {
  state: Pick<AgentState, "schedules" | "runs" | "outbox" | "uploads" | "backups" | "transaction">;
  host: Host;
  /** The turns that scheduled runs share with the backups that the guild asks for. */
  slots: Slots;
  clock: Clock;
  log: Logger;
  /** Something was put into the outbox. */
  onReport: () => void;
  watch?: WatchRun;
}

/** The run in the words of the protocol. Its key stays the same from its start to its end, whatever happens in between. */
function reportOf({ server, schedule, nominal, startedAt, catchUp }: ScheduledRun, outcome: RunOutcome, traceparent?: Traceparent) {
  const run = { server, schedule, nominal, startedAt, catchUp };
  return { key: `${server}/${schedule}/${nominal}`, kind: "run", run, outcome, traceparent } as const;
}

/** Writes down that a run begins, and that its nominal time is settled: from here on it is carried out, once, whatever happens. */
export function beginRun(run: ScheduledRun, settle: () => void, { state, clock, onReport }: RunDeps): RunRow {
  const traceparent = newTraceparent();
  state.transaction(() => {
    settle();
    state.runs.begin(run, traceparent);
    state.outbox.putReport(reportOf(run, { state: "started" }, traceparent), clock.now());
  });
  onReport();
  return { ...run, traceparent, state: "running", interruptions: 0 };
}

/** Settles a nominal time without a run, since a backup of the same server was at work all the while. */
export function skipRun(run: ScheduledRun, settle: () => void, { state, clock, onReport }: RunDeps): void {
  const now = clock.now();
  state.transaction(() => {
    settle();
    state.outbox.putReport(reportOf(run, { state: "skipped", endedAt: now, reason: "busy" }), now);
  });
  onReport();
}

/**
 * Carries a run out that has begun, and puts its end into the outbox. When the signal fires it is stopped cleanly and stays unfinished, to be
 * taken up again. Errors of the state come through; those of the backup are the run's end.
 */
export async function carryOut(
  run: RunRow,
  { skipUnchanged, interrupted }: { skipUnchanged: boolean; interrupted: boolean },
  deps: RunDeps,
  signal: AbortSignal,
): Promise<void> {
  const { server, schedule, nominal, traceparent } = run;
  const log = deps.log.child({ server, schedule, nominal: new Date(nominal).toISOString(), trace: traceIdOf(traceparent) });
  const watch = deps.watch?.({ kind: "backup", server, schedule, parent: traceparent });
  const task = () => attempt(run, { skipUnchanged, interrupted }, { ...deps, log }, watch, signal);
  const outcome = await (watch === undefined ? task() : watch.run(task));
  if (outcome === null) {
    deps.state.runs.stopped(run);
    log.info("the scheduled backup was stopped with the agent; it starts again with it");
    watch?.end({ state: "returned" });
    return;
  }
  endRun(run, outcome, { ...deps, log });
  watch?.end({
    state: outcome.state,
    ...(outcome.state === "failed" && { code: outcome.error.code }),
    ...(outcome.state === "succeeded" && { backup: outcome.result }),
  });
}

type RunEnd = Exclude<RunOutcome, { state: "started" }>;

/** Null: stopped with the agent. */
async function attempt(
  { server: id }: RunRow,
  { skipUnchanged, interrupted }: { skipUnchanged: boolean; interrupted: boolean },
  { host, slots, clock, log }: RunDeps,
  watch: RunWatch | undefined,
  agentStops: AbortSignal,
): Promise<RunEnd | null> {
  const over = new AbortController();
  const done = new AbortController();
  const deadline = sleepUntil(clock, clock.now() + RUN_MAX_MS, done.signal).then((reached) => {
    if (reached) over.abort(new JobStopped("deadline"));
  });
  const signal = AbortSignal.any([agentStops, over.signal]);
  const report = ({ phase }: Progress) => watch?.phase(phase);
  try {
    if (slots.full) log.info("waits for another backup on the same host");
    const leave = await slots.take(signal);
    try {
      const context = { host, report, signal, interrupted, clock, log };
      return await whileLocked(id, context, async (server): Promise<RunEnd> => {
        const result = await (skipUnchanged ? backUpIfChanged : backUp)(server, {}, context);
        if (result === null) return { state: "skipped", endedAt: clock.now(), reason: "unchanged" };
        return { state: "succeeded", endedAt: clock.now(), result };
      });
    } finally {
      leave();
    }
  } catch (error) {
    if (agentStops.aborted) return null;
    const outcome = outcomeOf(error, over.signal.aborted ? "deadline" : undefined);
    if (outcome?.state !== "failed") throw error;
    if (outcome.error.code === "internal-error") log.error({ err: error }, "the scheduled backup failed unexpectedly");
    return { state: "failed", endedAt: clock.now(), error: outcome.error };
  } finally {
    done.abort();
    await deadline;
  }
}

function endRun(run: RunRow, outcome: RunEnd, { state, clock, log, onReport }: RunDeps): void {
  state.transaction(() => {
    state.runs.end(run);
    state.outbox.putReport(reportOf(run, outcome, run.traceparent), clock.now());
    // From now on its archive is told of, and stays.
    if (outcome.state === "succeeded") {
      state.uploads.told(outcome.result);
      state.backups.put(outcome.result);
    }
  });
  if (outcome.state === "failed") log.error({ code: outcome.error.code }, `the scheduled backup failed: ${outcome.error.message}`);
  else if (outcome.state === "skipped") log.info({ reason: outcome.reason }, "the scheduled backup was not needed: nothing has changed");
  else log.info({ backup: backupName(outcome.result) }, "the scheduled backup succeeded");
  onReport();
}

/**
 * Whether a run that a process before this one left unfinished may be carried out again. One that was interrupted too often is given up, with
 * a report.
 */
export async function mayGoOn(run: RunRow, deps: RunDeps): Promise<boolean> {
  const { state, host, clock, log } = deps;
  const facts = { server: run.server, schedule: run.schedule };
  if (run.state === "stopped") {
    state.runs.goesOn(run);
    return true;
  }
  state.runs.interrupted(run);
  const interruptions = run.interruptions + 1;
  if (interruptions < INTERRUPTIONS_MAX) {
    log.warn({ ...facts, interruptions }, "the agent was interrupted in the middle of a scheduled backup; it starts again");
    return true;
  }
  await cleanUpBackup(run.server, host).catch((error: unknown) => log.warn({ ...facts, err: error }, "could not clean up"));
  const text = `the agent was interrupted ${interruptions} times in the middle of this backup; see its log on the host`;
  const outcome = failed("agent-interrupted", text);
  if (outcome.state === "failed") endRun(run, { ...outcome, endedAt: clock.now() }, { ...deps, log: log.child(facts) });
  return false;
}
