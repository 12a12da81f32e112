import type { Instant, Problem, RunOutcome, ScheduledRun, Traceparent } from "../../schemas/index.ts";
import { KIND_RULES } from "./job-rules.ts";
import type { RunState } from "./run-rules.ts";

/** A scheduled run as its host told of it. Host, server, schedule and nominal time together are its name. */
export interface RunRecord {
  id: number;
  host: string;
  server: string;
  schedule: string;
  nominal: Instant;
  catchUp: boolean;
  state: RunState;
  startedAt: Instant;
  endedAt: Instant | null;
  problem: Problem | null;
  /** Why it was skipped. */
  reason: "unchanged" | "busy" | null;
  backup: string | null;
  trace: Traceparent | null;
  /** When the last word of it came. */
  reportedAt: Instant;
}

/** Runs are kept so long, in milliseconds. */
const KEEP_MS = 90 * 24 * 60 * 60_000;
/** At most so many of one schedule, by nominal time. */
export const RUNS_PER_SCHEDULE_MAX = 100;
/** And so many in a guild, by when they were first told of. */
export const RUNS_MAX = 5000;
/** A run that began longer ago is not shown as going on, in milliseconds: its end was never told. */
const OPEN_MAX_MS = KIND_RULES.backup.runMs;

/** The table of scheduled runs. */
export class Runs {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  byId(id: number): RunRecord | null {
    return this.#select("WHERE id = ?", id)[0] ?? null;
  }

  of(host: string, { server, schedule, nominal }: ScheduledRun): RunRecord | null {
    return this.#select("WHERE server_id = ? AND schedule = ? AND nominal = ? AND host_id = ?", server, schedule, nominal, host)[0] ?? null;
  }

  /** Writes down what a report says. Whether it is news is decided before, by `takes`. */
  put(host: string, run: ScheduledRun, outcome: RunOutcome, trace: Traceparent | null, now: Instant): RunRecord {
    const endedAt = outcome.state === "started" ? null : outcome.endedAt;
    const problem = outcome.state === "failed" ? JSON.stringify(outcome.error) : null;
    const reason = outcome.state === "skipped" ? outcome.reason : null;
    this.#sql.exec(
      `INSERT INTO runs (host_id, server_id, schedule, nominal, catch_up, state, started_at, ended_at, problem_json, reason, trace, reported_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (server_id, schedule, nominal, host_id) DO UPDATE SET state = excluded.state, started_at = excluded.started_at,
         ended_at = excluded.ended_at, problem_json = excluded.problem_json, reason = excluded.reason,
         trace = COALESCE(excluded.trace, trace), reported_at = excluded.reported_at`,
      ...[host, run.server, run.schedule, run.nominal, run.catchUp ? 1 : 0, outcome.state, run.startedAt, endedAt, problem, reason],
      ...[trace, now],
    );
    const record = this.of(host, run);
    if (record === null) throw new Error(`the run ${run.server}/${run.schedule}/${run.nominal} is gone`);
    this.#forgetOld(record, now);
    return record;
  }

  setBackup(id: number, backup: string): void {
    this.#sql.exec("UPDATE runs SET backup_id = ? WHERE id = ?", backup, id);
  }

  /** The run with the newest nominal time up to `until`. */
  last(host: string, server: string, schedule: string, until: Instant): RunRecord | null {
    const where = "WHERE server_id = ? AND schedule = ? AND nominal <= ? AND host_id = ? ORDER BY nominal DESC LIMIT 1";
    return this.#select(where, server, schedule, until, host)[0] ?? null;
  }

  /** The run of a schedule with the newest nominal time. */
  newest(host: string, server: string, schedule: string): RunRecord | null {
    const where = "WHERE server_id = ? AND schedule = ? AND host_id = ? ORDER BY nominal DESC LIMIT 1";
    return this.#select(where, server, schedule, host)[0] ?? null;
  }

  /** The newest nominal time up to `until` whose run succeeded, or was not needed. */
  lastGood(host: string, server: string, schedule: string, until: Instant): Instant | null {
    const good = "(state = 'succeeded' OR (state = 'skipped' AND reason = 'unchanged'))";
    const where = `WHERE server_id = ? AND schedule = ? AND nominal <= ? AND host_id = ? AND ${good} ORDER BY nominal DESC LIMIT 1`;
    return this.#select(where, server, schedule, until, host)[0]?.nominal ?? null;
  }

  /** Runs of a schedule that began and have not ended, as far as is known. */
  unfinished(host: string, server: string, schedule: string): RunRecord[] {
    return this.#select(
      "WHERE server_id = ? AND schedule = ? AND host_id = ? AND state = 'started' ORDER BY nominal",
      ...[server, schedule, host],
    );
  }

  /** Runs that go on now, oldest first. */
  open(now: Instant): RunRecord[] {
    return this.#select("WHERE state = 'started' AND started_at > ? ORDER BY started_at, id", now - OPEN_MAX_MS);
  }

  /** The newest first, of one server or of all. */
  recent(server: string | undefined, limit: number): RunRecord[] {
    const order = "ORDER BY reported_at DESC, id DESC LIMIT ?";
    return server === undefined ? this.#select(order, limit) : this.#select(`WHERE server_id = ? ${order}`, server, limit);
  }

  #forgetOld({ id, server, schedule }: RunRecord, now: Instant): void {
    this.#sql.exec("DELETE FROM runs WHERE id < ? - ?", id, RUNS_MAX);
    this.#sql.exec(
      `DELETE FROM runs WHERE id IN (
         SELECT id FROM runs WHERE server_id = ? AND schedule = ? ORDER BY nominal DESC LIMIT -1 OFFSET ?)`,
      ...[server, schedule, RUNS_PER_SCHEDULE_MAX],
    );
    this.#sql.exec("DELETE FROM runs WHERE server_id = ? AND schedule = ? AND reported_at < ?", server, schedule, now - KEEP_MS);
  }

  #select(rest: string, ...bindings: unknown[]): RunRecord[] {
    const number = (value: SqlStorageValue | undefined) => (typeof value === "number" ? value : null);
    const text = (value: SqlStorageValue | undefined) => (typeof value === "string" ? value : null);
    return this.#sql
      .exec(`SELECT * FROM runs ${rest}`, ...bindings)
      .toArray()
      .map((row) => ({
        id: Number(row.id),
        host: String(row.host_id),
        server: String(row.server_id),
        schedule: String(row.schedule),
        nominal: Number(row.nominal),
        catchUp: row.catch_up === 1,
        state: row.state as RunState,
        startedAt: Number(row.started_at),
        endedAt: number(row.ended_at),
        problem: row.problem_json === null ? null : (JSON.parse(String(row.problem_json)) as Problem),
        reason: text(row.reason) as RunRecord["reason"],
        backup: text(row.backup_id),
        trace: text(row.trace),
        reportedAt: Number(row.reported_at),
      }));
  }
}
