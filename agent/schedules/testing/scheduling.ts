import { expect, onTestFinished } from "vitest";
import type { Report, RunOutcome } from "../../../schemas/index.ts";
import type { BackupEngine } from "../../backup/engine.ts";
import type { HostConfig, ScheduleConfig, ServerConfig } from "../../config/host-config.ts";
import { Slots } from "../../jobs/slots.ts";
import type { AgentState } from "../../state/state.ts";
import { backupResult, hostConfig, memoryLogger, serverConfig, temporaryState, testHost } from "../../testing/fixtures.ts";
import { Scheduler } from "../scheduler.ts";
import { quiet, WallClock } from "./wall-clock.ts";

const MINUTE = 60_000;

export function scheduleConfig(changes: Partial<ScheduleConfig> = {}): ScheduleConfig {
  return {
    ...{ name: "main", cron: "0 4 * * *", zone: "UTC", jitterMs: 0, skipUnchanged: false, catchUp: true },
    ...{ graceStartMs: 15 * MINUTE, graceFinishMs: 6 * 60 * MINUTE },
    ...changes,
  };
}

/** A config with these schedules for each server. */
export function configOf(stateFile: string, servers: Record<string, ScheduleConfig[]>): HostConfig {
  const configs = Object.entries(servers).map(([id, schedules]) => {
    const server = serverConfig(id);
    return { ...server, backup: { ...server.backup, schedules } };
  });
  return hostConfig(stateFile, configs);
}

type RunReport = Extract<Report, { kind: "run" }>;

/** Every report of a run that was put into the outbox, in order. The outbox itself keeps the newest of each key. */
function reportsOf(state: AgentState): RunReport[] {
  const reports: RunReport[] = [];
  const put = state.outbox.putReport.bind(state.outbox);
  state.outbox.putReport = (report, now) => {
    if (report.kind === "run") reports.push(report);
    put(report, now);
  };
  return reports;
}

export interface Given {
  at: string;
  schedules?: ScheduleConfig[];
  servers?: Record<string, ScheduleConfig[]>;
  backup?: BackupEngine["backup"];
  unchanged?: (server: ServerConfig, signal: AbortSignal) => Promise<boolean>;
}

/** A host with schedules, on a clock that the test moves. Everything but the backups themselves is real. */
export async function scheduling(given: Given) {
  const clock = new WallClock(Date.parse(given.at));
  const state = await temporaryState(clock);
  const reports = reportsOf(state);
  const { log, lines } = memoryLogger();
  const slots = { current: new Slots(1) };
  const begun: { server: string; at: string }[] = [];
  const backup: BackupEngine["backup"] = async (request) => {
    begun.push({ server: request.server.id, at: new Date(clock.now()).toISOString() });
    return (given.backup ?? (async ({ server }) => backupResult(server.id)))(request);
  };
  const cleaned: string[] = [];
  let config = configOf(state.file, given.servers ?? { island: given.schedules ?? [scheduleConfig()] });
  const host = { ...testHost(state.file, [], { backup, cleaned, unchanged: given.unchanged }) };
  Object.defineProperty(host, "servers", { get: () => config.servers });
  let running: { scheduler: Scheduler; stop: AbortController; ended: Promise<void> } | undefined;

  const start = async () => {
    slots.current = new Slots(1);
    const stop = new AbortController();
    const scheduler = new Scheduler({ config, state, host, slots: slots.current, clock, log, onReport: () => undefined });
    running = { scheduler, stop, ended: scheduler.run(stop.signal) };
    await quiet();
  };
  const stop = async () => {
    running?.stop.abort();
    await running?.ended;
    running = undefined;
  };
  /** The process is gone from one moment to the next: nothing that it still does reaches the state. */
  const kill = async () => {
    await quiet();
    const runs = state.runs.unfinished();
    const before = reports.length;
    await stop();
    for (const run of runs) state.runs.goesOn(run);
    expect(reports).toHaveLength(before);
  };
  /** Lets time pass until the scheduler ends by itself, and answers with what error. */
  const failure = async (ms: number): Promise<unknown> => {
    const caught = running?.ended.then(
      () => undefined,
      (error: unknown) => error,
    );
    running = undefined;
    await clock.pass(ms);
    return caught;
  };
  onTestFinished(stop);
  await start();
  return {
    ...{ clock, state, reports, lines, begun, cleaned, slots, host, start, stop, kill, failure },
    get scheduler() {
      return running?.scheduler ?? expect.fail("the scheduler does not run");
    },
    /** Puts other schedules of the first server in force. */
    replace: (schedules: ScheduleConfig[]) => {
      config = configOf(state.file, { island: schedules });
      running?.scheduler.replace(config);
    },
    row: (name = "main") => state.schedules.get("island", name) ?? expect.fail("there is no such schedule"),
  };
}

/** `2026-11-22T04:00 succeeded`, with `(late)` for a run that makes up for a missed one. */
export function told(reports: readonly RunReport[]): string[] {
  return reports.map(({ run, outcome }) => {
    const nominal = new Date(run.nominal).toISOString().slice(0, 16);
    return `${nominal} ${stateOf(outcome)}${run.catchUp ? " (late)" : ""}`;
  });
}

/** How runs ended, without their starts. */
export const ends = (reports: readonly RunReport[]) => told(reports.filter(({ outcome }) => outcome.state !== "started"));

function stateOf(outcome: RunOutcome): string {
  if (outcome.state === "skipped") return outcome.reason;
  return outcome.state === "failed" ? outcome.error.code : outcome.state;
}

/** A backup that ends when the test says so, or when it is stopped. */
export function heldBackups() {
  let gate = Promise.withResolvers<void>();
  const backup: BackupEngine["backup"] = async ({ server, signal }) => {
    const aborted = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    await Promise.race([gate.promise, aborted]);
    return backupResult(server.id);
  };
  return {
    backup,
    /** Those at work end. Later ones are held again. */
    release: () => {
      gate.resolve();
      gate = Promise.withResolvers<void>();
    },
    /** From now on backups end at once. */
    open: () => gate.resolve(),
  };
}
