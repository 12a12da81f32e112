import type { Instant, Report, RunOutcome } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import { arrivalProblem, recordBackup } from "./backup-record.ts";
import { afterFailure, takes } from "./run-rules.ts";
import type { RunRecord } from "./runs.ts";
import type { ScheduleWatch } from "./schedule-watch.ts";
import type { Tables } from "./tables.ts";

export type RunReport = Extract<Report, { kind: "run" }>;

export interface RunDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  watch: ScheduleWatch;
  now: () => Instant;
}

/** What agents tell of their scheduled runs. What belongs together commits together. */
export class RunDesk {
  readonly #parts: RunDeskParts;

  constructor(parts: RunDeskParts) {
    this.#parts = parts;
  }

  /** Takes each word of a run once. `taken` is false for one that came before, or behind the end. */
  report(host: string, { run, outcome, traceparent }: RunReport): { taken: boolean } | Refusal {
    const { storage, tables, watch, now } = this.#parts;
    const server = tables.servers.byId(run.server);
    if (server !== null && server.host !== host) return refuse("server-not-yours", { server: run.server });
    if (outcome.state === "succeeded" && outcome.result.server !== run.server) {
      return refuse("body-invalid", { reason: "the backup is one of another server than the run" });
    }
    return storage.transactionSync(() => {
      if (!takes(tables.runs.of(host, run)?.state ?? null, outcome.state)) return { taken: false };
      const known = this.#checked(host, outcome);
      const record = tables.runs.put(host, run, known, traceparent ?? null, now());
      if (known.state === "succeeded") {
        const key = `run/${host}/${run.server}/${run.schedule}/${run.nominal}`;
        const backup = recordBackup(tables, { key, host, job: null, madeBy: null, result: known.result }, now());
        if (backup !== null) tables.runs.setBackup(record.id, backup);
      }
      if (known.state !== "started") this.#ended(record);
      watch.ran(record);
      return { taken: true };
    });
  }

  /** A success that names an archive which did not arrive is no success. */
  #checked(host: string, outcome: RunOutcome): RunOutcome {
    if (outcome.state !== "succeeded") return outcome;
    const error = arrivalProblem(this.#parts.tables, host, outcome.result);
    return error === null ? outcome : { state: "failed", endedAt: outcome.endedAt, error };
  }

  #ended(run: RunRecord): void {
    const { tables, now } = this.#parts;
    const { host, server, schedule, nominal, state, problem, reason } = run;
    const why = { ...(problem === null ? {} : { code: problem.code }), ...(reason === null ? {} : { reason }) };
    const change = { schedule, nominal, state, ...why };
    tables.audit.write({ kind: "schedule", actor: `host ${host}`, allowedBy: "its config", server, host, change }, now());
    if (state === "failed") this.#tellFailure(run);
    if (state !== "succeeded") return;
    this.#tellSuccess(run);
    tables.notices.postResult({ kind: "run", run: run.id }, now());
  }

  #tellFailure({ host, server, schedule, nominal, problem, endedAt }: RunRecord): void {
    if (problem === null || endedAt === null) return;
    const { tables, now } = this.#parts;
    const key = failedKey(server, schedule);
    const { notice, fresh } = afterFailure(this.#failure(key), { host, server, schedule, nominal, problem, at: endedAt }, now());
    if (fresh) tables.notices.tell(key, notice, now());
    else tables.notices.change(key, notice, now());
  }

  /** Says in the message of a failure that it works again. */
  #tellSuccess({ server, schedule, nominal, endedAt }: RunRecord): void {
    const { tables, now } = this.#parts;
    const key = failedKey(server, schedule);
    const told = this.#failure(key);
    if (told === null || told.notice.overAt !== null || nominal < told.notice.nominal) return;
    tables.notices.change(key, { ...told.notice, overAt: endedAt }, now());
  }

  #failure(key: string) {
    const told = this.#parts.tables.notices.of(key);
    return told?.notice.kind === "run-failed" ? { notice: told.notice, toldAt: told.toldAt } : null;
  }
}

export function failedKey(server: string, schedule: string): string {
  return `failed/${server}/${schedule}`;
}
