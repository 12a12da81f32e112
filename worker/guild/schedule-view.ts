import type { AnnouncedSchedule, BackupResult, Instant, Problem, SchedulePayload, ScheduleResult } from "../../schemas/index.ts";
import { cronProblem } from "../../schemas/nominal-times.ts";
import type { Format } from "../discord/text.ts";
import type { JobState } from "./job-rules.ts";
import type { JobRecord } from "./jobs.ts";
import { nextOf } from "./missed-rules.ts";
import type { Presence } from "./presence.ts";
import type { RunState } from "./run-rules.ts";
import type { RunRecord } from "./runs.ts";
import { missedKey, missedNotice } from "./schedule-watch.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";
import type { ProofView } from "./verification-view.ts";
import { proofView } from "./verification-view.ts";

/** What people are shown of schedules and their runs: plain values, rendered in `discord/`. */

export interface RunView {
  nominal: Instant;
  state: RunState;
  catchUp: boolean;
  startedAt: Instant;
  endedAt: Instant | null;
  problem: Problem | null;
  reason: RunRecord["reason"];
}

export interface ScheduleView {
  name: string;
  cron: string;
  zone: string;
  /** Why the cron text says nothing; null when it does. */
  problem: string | null;
  /** The next nominal time; null when there is none, or while it is paused without an end. */
  next: Instant | null;
  paused: boolean;
  pausedUntil: Instant | null;
  last: RunView | null;
  /** Nominal times that are missed now. */
  missed: number;
}

/** Schedules in one answer: more do not fit into an embed. */
export const SCHEDULES_SHOWN_MAX = 40;

export interface ScheduleListView {
  /** How many there are in all; the last ones are left out when they are too many. */
  count: number;
  servers: { id: string; name: string; hostName: string; hostOnline: boolean; hostSeenAt: Instant | null; schedules: ScheduleView[] }[];
}

export interface ScheduleJobView {
  job: string;
  state: JobState;
  action: SchedulePayload["action"];
  serverName: string;
  /** Null for all of the server's schedules. */
  schedule: string | null;
  until: Instant | null;
  hostName: string;
  hostOnline: boolean;
  hostSeenAt: Instant | null;
  deadline: Instant;
  requestedBy: string;
  /** The schedules it was about, as they are after it. */
  after: Pick<ScheduleView, "name" | "next" | "paused" | "pausedUntil">[];
  error: Problem | null;
}

export interface RunResultView {
  format: Format;
  serverName: string;
  hostName: string;
  run: RunView & { schedule: string };
  result: BackupResult;
  /** The newest backup of the server that a drill proved. */
  proof: ProofView | null;
}

export function scheduleListView(servers: readonly ServerRecord[], tables: Tables, presence: Presence, now: Instant): ScheduleListView {
  const all = servers.flatMap((server) => (server.schedules ?? []).map((schedule) => ({ server, schedule })));
  const shown = Map.groupBy(all.slice(0, SCHEDULES_SHOWN_MAX), ({ server }) => server);
  return {
    count: all.length,
    servers: [...shown].map(([server, list]) => ({
      id: server.id,
      name: server.name,
      ...hostFacts(server.host, tables, presence, now),
      schedules: list.map(({ schedule }) => scheduleView(server, schedule, tables, now)),
    })),
  };
}

export function scheduleJobView(job: JobRecord, tables: Tables, presence: Presence, now: Instant): ScheduleJobView {
  const { server, schedule, action, until } = job.payload as SchedulePayload;
  const after = (job.result as ScheduleResult | null)?.schedules ?? [];
  return {
    job: job.id,
    state: job.state,
    action,
    serverName: tables.servers.byId(server)?.name ?? server,
    schedule: schedule ?? null,
    until: until ?? null,
    ...hostFacts(job.host, tables, presence, now),
    deadline: job.deadline,
    requestedBy: job.requestedBy,
    after: after.filter(({ name }) => schedule === undefined || name === schedule).map((one) => ({ name: one.name, ...stateOf(one, now) })),
    error: job.error,
  };
}

/** Null when the run or its backup is no longer kept. */
export function runResultView(id: number, tables: Tables, format: Format): RunResultView | null {
  const run = tables.runs.byId(id);
  const result = run?.backup === null || run === null ? null : tables.backups.byId(run.backup);
  if (run === null || result === null) return null;
  return {
    format,
    serverName: tables.servers.byId(run.server)?.name ?? run.server,
    hostName: tables.hosts.byId(run.host)?.name ?? run.host,
    run: { ...runView(run), schedule: run.schedule },
    result,
    proof: proofView(run.server, tables),
  };
}

function scheduleView(server: ServerRecord, schedule: AnnouncedSchedule, tables: Tables, now: Instant): ScheduleView {
  const { name, cron, zone } = schedule;
  const state = stateOf(schedule, now);
  const last = tables.runs.newest(server.host, server.id, name);
  const told = missedNotice(tables, missedKey(server.id, name), server.host);
  return {
    name,
    cron,
    zone,
    problem: state.next === null ? cronProblem(cron, zone) : null,
    ...state,
    last: last === null ? null : runView(last),
    missed: told === null || told.overAt !== null ? 0 : told.missed.length + told.more,
  };
}

function stateOf(schedule: AnnouncedSchedule, now: Instant): Pick<ScheduleView, "next" | "paused" | "pausedUntil"> {
  const { paused, pausedUntil } = schedule;
  const endless = paused && pausedUntil === undefined;
  const over = paused && pausedUntil !== undefined && pausedUntil <= now;
  const from = paused && pausedUntil !== undefined ? Math.max(now, pausedUntil - 1) : now;
  return {
    next: endless ? null : nextOf(schedule, from),
    paused: paused && !over,
    pausedUntil: paused && !over ? (pausedUntil ?? null) : null,
  };
}

function runView({ nominal, state, catchUp, startedAt, endedAt, problem, reason }: RunRecord): RunView {
  return { nominal, state, catchUp, startedAt, endedAt, problem, reason };
}

function hostFacts(id: string, tables: Tables, presence: Presence, now: Instant) {
  const host = tables.hosts.byId(id);
  const sight = host === null ? null : presence.of(host, now);
  return { hostName: host?.name ?? id, hostOnline: sight?.online ?? false, hostSeenAt: sight?.seenAt ?? null };
}
