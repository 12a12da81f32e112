import type {
  Instant,
  LeaseId,
  Outcome,
  Problem,
  Progress,
  ProgressResponse,
  Report,
  ScheduleResult,
  StatusResult,
} from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import { arrivalProblem, recordBackup } from "./backup-record.ts";
import { LEASE_MS } from "./job-rules.ts";
import type { JobRecord } from "./jobs.ts";
import type { Presence } from "./presence.ts";
import type { PruneDesk, PruneLook } from "./prune-desk.ts";
import type { Tables } from "./tables.ts";

const ODD_RESULT: Problem = {
  code: "odd-result",
  message: "The agent reported another kind of result than was asked for. Update the agent and the Worker to the same version.",
};

export interface JobDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  presence: Presence;
  now: () => Instant;
  /** Tells the held polls of a host that there is something for it. */
  wake: (host: string) => void;
  /** Looks at R2 before a prune is taken, and takes it: see prune-desk.ts. */
  prunes: Pick<PruneDesk, "look" | "take">;
  /** Called in the transaction of a `schedule` job's success, with the schedules as they are now. */
  scheduled: (host: string, result: ScheduleResult) => void;
}

/** What agents say of their jobs: progress, outcomes, and work that no job asked for. What belongs together commits together. */
export class JobDesk {
  readonly #parts: JobDeskParts;

  constructor(parts: JobDeskParts) {
    this.#parts = parts;
  }

  progress(host: string, job: string, lease: LeaseId, progress: Progress): ProgressResponse | Refusal {
    const { storage, tables, now } = this.#parts;
    const record = this.#own(host, job);
    if (record === null) return refuse("lease-stale");
    return storage.transactionSync(() => {
      if (!tables.jobs.setProgress(job, lease, progress, now())) return refuse("lease-stale");
      // Any other state has become `running`, and the message knows of it.
      if (record.state === "running" && record.message !== null) tables.messages.touch(record.message, now());
      return { cancel: record.cancelAt !== null, leaseSeconds: LEASE_MS / 1000 };
    });
  }

  /** Takes a job's outcome with its backup. The same outcome again is answered the same and changes nothing. */
  async result(host: string, job: string, lease: LeaseId, outcome: Outcome): Promise<{ taken: boolean } | Refusal> {
    const { storage, prunes } = this.#parts;
    const pruned = outcome.state === "succeeded" && outcome.kind === "prune" ? outcome.result : null;
    const look = pruned === null || this.#own(host, job)?.kind !== "prune" ? null : await prunes.look(pruned.server);
    const record = this.#own(host, job);
    if (record === null) return refuse("lease-stale");
    const verdict = storage.transactionSync(() => this.#take(host, job, lease, this.#checked(record, outcome), look));
    // Also when it came too late to count: its host has let go of the server only now.
    this.wakeAfter([record]);
    return verdict === "stale" ? refuse("lease-stale") : { taken: verdict === "taken" };
  }

  /** Does to open jobs what time alone does. */
  expire(): void {
    const { storage, tables, now } = this.#parts;
    this.wakeAfter(storage.transactionSync(() => tables.jobs.expire(now())));
  }

  /** Wakes the held polls of hosts that may get a job now that these were handed back, or ended. */
  wakeAfter(jobs: JobRecord[]): void {
    const { tables, wake } = this.#parts;
    for (const host of new Set(jobs.flatMap((job) => tables.jobs.hostsWaitingFor(job)))) wake(host);
  }

  /** Records a backup that no job asked for, once for each key. */
  report(host: string, report: Extract<Report, { kind: "backup" }>): { taken: boolean } | Refusal {
    const { storage, tables, now } = this.#parts;
    const server = tables.servers.byId(report.result.server);
    if (server !== null && server.host !== host) return refuse("server-not-yours", { server: report.result.server });
    return storage.transactionSync(() => {
      if (arrivalProblem(tables, host, report.result) !== null)
        return refuse(report.result.format === "zip" ? "upload-unknown" : "repository-file-unknown");
      const made = { key: `report/${host}/${report.key}`, host, job: null, madeBy: null, result: report.result };
      return { taken: recordBackup(tables, made, now()) !== null };
    });
  }

  #take(host: string, job: string, lease: LeaseId, outcome: Outcome, look: PruneLook | null): "taken" | "duplicate" | "stale" {
    const { tables, presence, scheduled, now } = this.#parts;
    const verdict = tables.jobs.finish(job, lease, outcome, now());
    const record = tables.jobs.byId(job);
    if (verdict !== "taken" || record === null || outcome.state !== "succeeded") return verdict;
    if (outcome.kind === "backup") {
      const { id, requestedBy: madeBy } = record;
      recordBackup(tables, { key: `job/${id}`, host, job: id, madeBy, result: outcome.result }, now());
    } else if (outcome.kind === "restore-plan") tables.restores.planned(job, outcome.result, now());
    else if (outcome.kind === "prune" && look !== null) this.#parts.prunes.take(record, outcome.result, look);
    else if (outcome.kind === "schedule") scheduled(host, outcome.result);
    else if (outcome.kind === "status") presence.noteStatus(host, statusOf(outcome.result, now()));
    return verdict;
  }

  /** A success that is not what was asked for, or names an archive which did not arrive, is no success. */
  #checked({ host, kind }: JobRecord, outcome: Outcome): Outcome {
    if (outcome.state !== "succeeded") return outcome;
    if (outcome.kind !== kind) return { state: "failed", error: ODD_RESULT };
    if (outcome.kind !== "backup") return outcome;
    const error = arrivalProblem(this.#parts.tables, host, outcome.result);
    return error === null ? outcome : { state: "failed", error };
  }

  #own(host: string, job: string): JobRecord | null {
    const record = this.#parts.tables.jobs.byId(job);
    return record?.host === host ? record : null;
  }
}

function statusOf(result: StatusResult, at: Instant) {
  return { at, servers: result.servers, ...(result.load === undefined ? {} : { load: result.load }) };
}
