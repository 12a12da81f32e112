import type { BackupResult, JobKind, Outcome } from "../../schemas/index.ts";
import type { LastBackup } from "../state/backups-table.ts";
import type { TimedRow } from "../state/verifications-table.ts";
import { Registry, type Row } from "./registry.ts";

/** How a job ended. `dropped`: it was not this host's any more, and nobody heard of its outcome. */
export type EndState = Outcome["state"] | "dropped" | "skipped";
/** What came of a poll. `work`: jobs, cancels or complaints. `renewed`: cut short by the agent itself, since it had news. */
export type PollOutcome = "work" | "empty" | "failed" | "renewed";
/** How a message left the outbox. `expired`: too old, or one too many. */
export type EventOutcome = "delivered" | "refused" | "expired";
/** The first digit of an HTTP status; `none`: no answer. */
export type StatusClass = "2xx" | "3xx" | "4xx" | "5xx" | "none";

const KINDS: readonly JobKind[] = ["backup", "status", "schedule", "restore-plan", "restore", "prune"];
const END_STATES: readonly EndState[] = ["succeeded", "failed", "cancelled", "returned", "dropped", "skipped"];
const POLL_OUTCOMES: readonly PollOutcome[] = ["work", "empty", "failed", "renewed"];
const EVENT_OUTCOMES: readonly EventOutcome[] = ["delivered", "refused", "expired"];
/** Where errors are counted; a log line of any other component counts as `agent`. */
export const COMPONENTS = [
  "agent",
  "polls",
  "jobs",
  "schedules",
  "outbox",
  "observations",
  "config",
  "health",
  "traces",
  "verification",
] as const;
export type Component = (typeof COMPONENTS)[number];

/** Upper bounds in seconds: an answer from memory, a write, a part of an archive, a poll that is held for 50 s. */
const REQUEST_BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** When a schedule runs. Times are milliseconds since the epoch. */
export interface ScheduleTimes {
  server: string;
  schedule: string;
  /** Undefined while it is paused. */
  nextAt?: number;
  lastAt?: number;
}

/** What is read when somebody asks for the metrics. */
export interface MetricSources {
  uptimeSeconds: () => number;
  components: () => readonly Row<"component">[];
  outbox: () => { messages: number; oldestAgeSeconds: number };
  schedules: () => readonly ScheduleTimes[];
  oddJobs: () => number;
  lastBackups: () => readonly LastBackup[];
  verifications: () => readonly TimedRow[];
}

/**
 * All metrics of the agent. Labels come from the code and from the host's config (server and schedule names), never from what somebody
 * sent, so that their number is bounded. docs/user/monitoring.md lists them.
 */
export class AgentMetrics {
  readonly registry = new Registry();
  readonly #r = this.registry;
  #servers: ReadonlySet<string> = new Set();

  readonly errors = this.#r.counter("reconsync_errors_total", "Errors in the agent's log, by component.", ["component"]);
  readonly events = this.#r.counter("reconsync_events_processed_total", "Results and reports that left the outbox, by how.", [
    "kind",
    "outcome",
  ]);

  readonly jobsRunning = this.#r.gauge("reconsync_jobs_running", "Jobs at work or waiting for their turn.", ["kind"]);
  readonly jobsEnded = this.#r.counter("reconsync_jobs_ended_total", "Jobs and scheduled runs that ended, by how.", ["kind", "state"]);
  readonly #backups = this.#r.counter("reconsync_backups_total", "Backups that succeeded since the agent started.", ["server"]);
  readonly #backupWritten = this.#r.counter("reconsync_backup_written_bytes_total", "Bytes of the archives of these backups.", ["server"]);

  readonly polls = this.#r.counter("reconsync_polls_total", "Polls of the control plane that ended, by what came of them.", ["outcome"]);
  readonly lastPoll = this.#r.gauge("reconsync_poll_last_answered_timestamp_seconds", "When the control plane last answered a poll.");
  readonly requestSeconds = this.#r.histogram(
    "reconsync_control_plane_request_duration_seconds",
    "Time until an answer of the control plane began. Polls are held on purpose.",
    REQUEST_BUCKETS_S,
    ["route"],
  );
  readonly requests = this.#r.counter("reconsync_control_plane_requests_total", "Requests to the control plane, by class of the status.", [
    "route",
    "status",
  ]);
  readonly tokens = this.#r.counter("reconsync_token_refreshes_total", "Access tokens asked for, by whether one came.", ["outcome"]);
  readonly clockSkew = this.#r.gauge("reconsync_clock_skew_seconds", "This host's clock minus the control plane's, to about a second.");

  readonly configReloads = this.#r.counter("reconsync_config_reloads_total", "Changes of the config file that were seen.", ["outcome"]);
  readonly configGood = this.#r.gauge("reconsync_config_last_reload_successful", "1 while the config on the disk is the one in force.");
  readonly configAt = this.#r.gauge(
    "reconsync_config_last_reload_success_timestamp_seconds",
    "When the config that is in force was taken.",
  );

  readonly spansExported = this.#r.counter("reconsync_trace_spans_exported_total", "Spans that the trace collector took.");
  readonly spansDropped = this.#r.counter("reconsync_trace_spans_dropped_total", "Spans that could not be sent, or were too many.");

  constructor() {
    for (const component of COMPONENTS) this.errors.add({ component }, 0);
    for (const kind of ["result", "report"]) for (const outcome of EVENT_OUTCOMES) this.events.add({ kind, outcome }, 0);
    for (const kind of KINDS) this.jobsRunning.set({ kind }, 0);
    for (const kind of KINDS) for (const state of END_STATES) this.jobsEnded.add({ kind, state }, 0);
    for (const outcome of POLL_OUTCOMES) this.polls.add({ outcome }, 0);
    for (const outcome of ["succeeded", "failed"]) {
      this.tokens.add({ outcome }, 0);
      this.configReloads.add({ outcome }, 0);
    }
  }

  /** Adds what is read on demand. Once. */
  attach(version: string, sources: MetricSources): void {
    const r = this.#r;
    r.read(
      { name: "reconsync_build_info", help: "Always 1; the labels say which agent this is.", type: "gauge", labels: ["version"] },
      () => [{ version, value: 1 }],
    );
    const plain = (name: string, help: string, type: "gauge" | "counter", value: () => number) =>
      r.read({ name, help, type }, () => [{ value: value() }]);
    plain("reconsync_uptime_seconds", "How long the agent has run.", "gauge", sources.uptimeSeconds);
    r.read(
      {
        name: "reconsync_component_status",
        help: "1 while a part of the agent works, 0 while it does not.",
        type: "gauge",
        labels: ["component"],
      },
      sources.components,
    );
    plain("reconsync_outbox_messages", "Results and reports that wait to be delivered.", "gauge", () => sources.outbox().messages);
    plain(
      "reconsync_outbox_oldest_age_seconds",
      "Age of the one that has waited longest; 0 when none waits.",
      "gauge",
      () => sources.outbox().oldestAgeSeconds,
    );
    plain(
      "reconsync_odd_jobs_total",
      "Jobs that were not carried out, since the guild should not have given them.",
      "counter",
      sources.oddJobs,
    );
    const times = (name: string, help: string, at: (row: ScheduleTimes) => number | undefined) =>
      r.read({ name, help, type: "gauge", labels: ["server", "schedule"] }, () =>
        sources.schedules().flatMap((row) => {
          const ms = at(row);
          return ms === undefined ? [] : [{ server: row.server, schedule: row.schedule, value: ms / 1000 }];
        }),
      );
    times("reconsync_schedule_next_run_timestamp_seconds", "When a schedule runs next.", ({ nextAt }) => nextAt);
    times("reconsync_schedule_last_run_timestamp_seconds", "When the last run of a schedule began.", ({ lastAt }) => lastAt);
    const last = (name: string, help: string, of: (backup: LastBackup) => number) =>
      r.read({ name, help, type: "gauge", labels: ["server"] }, () =>
        sources.lastBackups().flatMap((backup) => (this.#servers.has(backup.server) ? [{ server: backup.server, value: of(backup) }] : [])),
      );
    last("reconsync_backup_last_success_timestamp_seconds", "When the last good backup ended.", ({ endedAt }) => endedAt / 1000);
    last("reconsync_backup_last_duration_seconds", "How long the last good backup took.", ({ durationMs }) => durationMs / 1000);
    last("reconsync_backup_last_size_bytes", "Size of the archive of the last good backup.", ({ bytes }) => bytes);
    last("reconsync_backup_last_source_bytes", "Size of what the last good backup read.", ({ sourceBytes }) => sourceBytes);
    const verified = (name: string, help: string, of: (row: TimedRow) => number | undefined) =>
      r.read({ name, help, type: "gauge", labels: ["server", "check"] }, () =>
        sources.verifications().flatMap((row) => {
          const value = this.#servers.has(row.server) ? of(row) : undefined;
          return value === undefined ? [] : [{ server: row.server, check: row.check, value }];
        }),
      );
    verified(
      "reconsync_verification_last_timestamp_seconds",
      "When backups were last verified: daily share or restore drill.",
      ({ last }) => last && (last.startedAt + last.durationMs) / 1000,
    );
    verified("reconsync_verification_last_passed", "1 when the last verification passed, 0 when it failed or was put off.", ({ last }) =>
      last === undefined ? undefined : Number(last.outcome === "passed"),
    );
    r.read(
      {
        name: "reconsync_verification_proven_backup_timestamp_seconds",
        help: "When the newest backup was made that a restore drill has proven.",
        type: "gauge",
        labels: ["server"],
      },
      () =>
        sources
          .verifications()
          .flatMap(({ server, proven }) =>
            this.#servers.has(server) && proven?.madeAt !== undefined ? [{ server, value: proven.madeAt / 1000 }] : [],
          ),
    );
    plain("process_start_time_seconds", "When the process began.", "gauge", () => (Date.now() - process.uptime() * 1000) / 1000);
    plain("process_cpu_seconds_total", "CPU time of the process.", "counter", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    plain("process_resident_memory_bytes", "Memory of the process.", "gauge", () => process.memoryUsage.rss());
  }

  /** The servers that the config names: metrics of others are forgotten, and not begun. */
  setServers(ids: readonly string[]): void {
    this.#servers = new Set(ids);
    const wanted = ({ server }: { server: string }) => this.#servers.has(server);
    for (const counter of [this.#backups, this.#backupWritten]) {
      counter.keep(wanted);
      for (const server of ids) counter.add({ server }, 0);
    }
  }

  /** A backup that succeeded, whoever asked for it. */
  backupDone({ server, bytes }: BackupResult): void {
    if (!this.#servers.has(server)) return;
    this.#backups.add({ server });
    this.#backupWritten.add({ server }, bytes);
  }
}
