import type {
  BackupResult,
  Instant,
  PruneResult,
  RestorePayload,
  RestorePlan,
  RestorePlanPayload,
  RestoreResult,
  ScheduleResult,
  StatusResult,
} from "../../schemas/index.ts";
import { traceIdOf } from "../../schemas/index.ts";
import { duration } from "../discord/text.ts";
import type { JobRecord } from "./job-record.ts";
import { isEnd, KIND_RULES } from "./job-rules.ts";
import type { JobLine, JobListView, JobView, JobWork, RunLine } from "./job-views.ts";
import { STATE_FILTERS } from "./job-views.ts";
import type { Presence } from "./presence.ts";
import { stopObjection } from "./restore-rules.ts";
import type { Tables } from "./tables.ts";
import type { Viewer } from "./viewer.ts";
import type { Choice } from "./views.ts";

/** Jobs on one page of `/jobs list`: what fits into an embed with room to spare. */
export const JOBS_PER_PAGE = 10;
/** Scheduled backups under the first page. */
const RUNS_SHOWN = 5;
/** Discord takes at most 25 choices, with names of at most 100 characters. */
const CHOICES_MAX = 25;
const CHOICE_NAME_MAX = 100;
/** Jobs that are looked through for choices. */
const CHOICES_FROM = 200;

/** Reads the table of jobs into what people are shown. Writes nothing. */
export class JobViewer {
  readonly #tables: Tables;
  readonly #presence: Presence;
  readonly #viewer: Viewer;

  constructor(tables: Tables, presence: Presence, viewer: Viewer) {
    this.#tables = tables;
    this.#presence = presence;
    this.#viewer = viewer;
  }

  list(filter: JobListView["filter"], wanted: number): JobListView {
    const { jobs: table } = this.#tables;
    const where = {
      ...(filter.server === undefined ? {} : { server: filter.server }),
      ...(filter.state === undefined ? {} : { states: STATE_FILTERS[filter.state] }),
    };
    const { count } = table.page(where, { limit: 0, offset: 0 });
    const pages = Math.max(1, Math.ceil(count / JOBS_PER_PAGE));
    const page = Math.min(Math.max(0, wanted), pages - 1);
    const { jobs } = table.page(where, { limit: JOBS_PER_PAGE, offset: page * JOBS_PER_PAGE });
    const runs = page === 0 && filter.state === undefined ? this.#runs(filter.server) : [];
    return { format: this.#viewer.format(), filter, page, pages, count, jobs: jobs.map((job) => this.#line(job)), runs };
  }

  job(job: JobRecord, now: Instant): JobView {
    const host = this.#tables.hosts.byId(job.host);
    const sight = host === null ? null : this.#presence.of(host, now);
    return {
      ...this.#line(job),
      format: this.#viewer.format(),
      hostOnline: sight?.online ?? false,
      hostSeenAt: sight?.seenAt ?? null,
      startedAt: job.startedAt,
      deadline: job.deadline,
      leaseUntil: job.leaseUntil,
      progress: job.progress,
      notice: job.notice,
      error: job.error,
      traceId: job.trace === null ? null : traceIdOf(job.trace),
      timeline: job.timeline.map((entry) => ({ ...entry, by: entry.by === `host ${job.host}` ? `host ${this.#hostName(job)}` : entry.by })),
      work: workOf(job),
      stoppable: !isEnd(job.state) && job.cancelAt === null && stopObjection(job) === null,
      backup: job.kind === "backup" ? this.#viewer.backupJob(job, now) : null,
    };
  }

  /** Jobs in the order of the list, of those that a member may use the command on. */
  choices(typed: string, open: boolean, may: (server: string | null) => boolean, now: Instant): Choice[] {
    const where = open ? { states: STATE_FILTERS.open } : {};
    const wanted = typed.trim().toLowerCase();
    return this.#tables.jobs
      .page(where, { limit: CHOICES_FROM, offset: 0 })
      .jobs.filter((job) => may(job.server))
      .map((job) => ({ name: choiceName(this.#line(job), now), value: job.id }))
      .filter(({ name, value }) => name.toLowerCase().includes(wanted) || value.includes(wanted))
      .slice(0, CHOICES_MAX);
  }

  #runs(server: string | undefined): RunLine[] {
    const { runs, servers, hosts } = this.#tables;
    return runs.recent(server, RUNS_SHOWN).map((run) => ({
      server: servers.byId(run.server)?.name ?? run.server,
      schedule: run.schedule,
      hostName: hosts.byId(run.host)?.name ?? run.host,
      state: run.state,
      nominal: run.nominal,
      endedAt: run.endedAt,
      why: run.problem?.code ?? run.reason,
    }));
  }

  #line(job: JobRecord): JobLine {
    return {
      job: job.id,
      kind: job.kind,
      servers: serversOf(job).map((id) => this.#tables.servers.byId(id)?.name ?? id),
      hostName: this.#hostName(job),
      state: job.state,
      cancelling: job.cancelAt !== null && !isEnd(job.state),
      attempt: job.attempt,
      attemptsMax: KIND_RULES[job.kind].attempts,
      requestedBy: job.requestedBy,
      createdAt: job.createdAt,
      endedAt: job.endedAt,
      code: job.error?.code ?? null,
    };
  }

  #hostName(job: JobRecord): string {
    return this.#tables.hosts.byId(job.host)?.name ?? job.host;
  }
}

function serversOf({ server, payload }: JobRecord): string[] {
  if (server !== null) return [server];
  return "servers" in payload ? payload.servers : [];
}

function workOf({ kind, payload, result }: JobRecord): JobWork {
  // The table holds what the schemas let in: payload and result are those of the kind.
  if (kind === "prune") return { kind, result: result as PruneResult | null };
  if (kind === "status") return { kind, result: result as StatusResult | null };
  if (kind === "schedule")
    return { kind, payload: payload as Extract<JobWork, { kind: "schedule" }>["payload"], result: result as ScheduleResult | null };
  if (kind === "restore-plan") return { kind, payload: payload as RestorePlanPayload, result: result as RestorePlan | null };
  if (kind === "restore") return { kind, payload: payload as RestorePayload, result: result as RestoreResult | null };
  return { kind, payload: payload as Extract<JobWork, { kind: "backup" }>["payload"], result: result as BackupResult | null };
}

function choiceName({ kind, servers, state, cancelling, createdAt }: JobLine, now: Instant): string {
  const [first = "all servers", ...others] = servers;
  const about = others.length === 0 ? first : `${first} and ${others.length} more`;
  const age = duration(Math.max(0, now - createdAt));
  return `${kind} · ${cancelling ? "cancelling" : state} · ${age} ago · ${about}`.slice(0, CHOICE_NAME_MAX);
}
