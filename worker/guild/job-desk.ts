import type { BackupResult, Instant, LeaseId, Outcome, Progress, ProgressResponse, Report, StatusResult } from "../../schemas/index.ts";
import { expired } from "../../schemas/retention.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import { LEASE_MS } from "./job-rules.ts";
import type { JobRecord } from "./jobs.ts";
import type { Presence } from "./presence.ts";
import type { Tables } from "./tables.ts";

export interface JobDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  presence: Presence;
  now: () => Instant;
  /** Called after jobs changed, so that their messages follow. */
  changed: (jobs: JobRecord[]) => void;
  /** Tells the held polls of a host that there is something for it. */
  wake: (host: string) => void;
}

/** What agents say of their jobs: progress, outcomes, and work that no job asked for. What belongs together commits together. */
export class JobDesk {
  readonly #parts: JobDeskParts;

  constructor(parts: JobDeskParts) {
    this.#parts = parts;
  }

  progress(host: string, job: string, lease: LeaseId, progress: Progress): ProgressResponse | Refusal {
    const { tables, now, changed } = this.#parts;
    const record = this.#own(host, job);
    if (record === null || !tables.jobs.setProgress(job, lease, progress, now())) return refuse("lease-stale");
    changed([record]);
    return { cancel: record.cancelAt !== null, leaseSeconds: LEASE_MS / 1000 };
  }

  /** Takes a job's outcome with its backup. The same outcome again is answered the same and changes nothing. */
  result(host: string, job: string, lease: LeaseId, outcome: Outcome): { taken: boolean } | Refusal {
    const { storage, tables, changed, wake } = this.#parts;
    if (this.#own(host, job) === null) return refuse("lease-stale");
    const verdict = storage.transactionSync(() => this.#take(host, job, lease, this.#checked(host, outcome)));
    const after = tables.jobs.byId(job);
    if (verdict === "taken" && after !== null) changed([after]);
    // A job that was handed back waits for the next poll of its host.
    if (after?.state === "queued") wake(host);
    return verdict === "stale" ? refuse("lease-stale") : { taken: verdict === "taken" };
  }

  /** Records work that no job asked for, once for each key. */
  report(host: string, report: Report): { taken: boolean } | Refusal {
    const { storage, tables, now } = this.#parts;
    const server = tables.servers.byId(report.result.server);
    if (server !== null && server.host !== host) return refuse("server-not-yours", { server: report.result.server });
    return storage.transactionSync(() => {
      const checked = this.#checked(host, { state: "succeeded", kind: "backup", result: report.result });
      if (checked.state !== "succeeded") return refuse("upload-unknown");
      return { taken: this.#record(host, `report/${host}/${report.key}`, null, report.result, now()) };
    });
  }

  #take(host: string, job: string, lease: LeaseId, outcome: Outcome): "taken" | "duplicate" | "stale" {
    const { tables, presence, now } = this.#parts;
    const verdict = tables.jobs.finish(job, lease, outcome, now());
    const record = tables.jobs.byId(job);
    if (verdict !== "taken" || record === null || outcome.state !== "succeeded") return verdict;
    if (outcome.kind === "backup") this.#record(host, `job/${job}`, record, outcome.result, now());
    else presence.noteStatus(host, statusOf(outcome.result, now()));
    return verdict;
  }

  /** A success that names an archive which did not arrive is no success. */
  #checked(host: string, outcome: Outcome): Outcome {
    if (outcome.state !== "succeeded" || outcome.kind !== "backup" || outcome.result.store !== "r2") return outcome;
    const { uploads } = this.#parts.tables;
    const upload = outcome.result.upload === undefined ? null : uploads.byId(outcome.result.upload);
    const there = upload?.host === host && upload.server === outcome.result.server && upload.state === "completed";
    if (there && upload.bytes === outcome.result.bytes) return outcome;
    return {
      state: "failed",
      error: { code: "archive-not-found", message: "The agent reported a backup whose archive did not arrive in R2. Try again." },
    };
  }

  /** Adds the backup's row and lets retention doom what it replaces. False when it was recorded before. */
  #record(host: string, key: string, job: JobRecord | null, result: BackupResult, now: Instant): boolean {
    const { backups, uploads, servers } = this.#parts.tables;
    const added = backups.add({ key, host, job: job?.id ?? null, madeBy: job?.requestedBy ?? null, result }, now);
    if (!added || result.upload === undefined) return added;
    uploads.claim(result.upload);
    const keep = servers.byId(result.server)?.retention;
    if (keep === undefined) return added;
    const kept = backups.inR2(result.server, host);
    const facts = kept.map(({ id, createdAt, consistency }) => ({ id, at: createdAt, good: true, torn: consistency === "torn" }));
    const gone = new Set(expired(facts, keep, now));
    for (const backup of kept.filter(({ id }) => gone.has(id))) {
      backups.markRemoved(backup.id, now);
      if (backup.upload !== undefined) uploads.doom(backup.upload, now);
    }
    return added;
  }

  #own(host: string, job: string): JobRecord | null {
    const record = this.#parts.tables.jobs.byId(job);
    return record?.host === host ? record : null;
  }
}

function statusOf(result: StatusResult, at: Instant) {
  return { at, servers: result.servers, ...(result.load === undefined ? {} : { load: result.load }) };
}
