import type { Instant } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import type { Ask } from "./ask.ts";
import { KIND_RULES } from "./job-rules.ts";
import type { JobViewer } from "./job-viewer.ts";
import type { JobView } from "./job-views.ts";
import type { JobRecord } from "./jobs.ts";
import type { Presence } from "./presence.ts";
import { queueObjection } from "./queue-rules.ts";
import { stopObjection } from "./restore-rules.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";
import type { Viewer } from "./viewer.ts";
import type { BackupJobView, StatusView } from "./views.ts";

export interface RequestDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  presence: Presence;
  viewer: Viewer;
  jobViewer: JobViewer;
  now: () => Instant;
  /** Tells the held polls of a host that there is something for it. */
  wake: (host: string) => void;
  /** Wakes whoever may get a job now that this one has ended. */
  wakeAfter: (jobs: JobRecord[]) => void;
}

/** Work that members ask for. Whether they may has been decided before. */
export class RequestDesk {
  readonly #parts: RequestDeskParts;

  constructor(parts: RequestDeskParts) {
    this.#parts = parts;
  }

  /** Queues a backup. The same interaction again answers the job that it made. */
  backup(ask: Ask, server: string, note: string | undefined): BackupJobView | Refusal {
    const { storage, tables, viewer, wake } = this.#parts;
    const { jobs, servers, messages } = tables;
    const now = this.#parts.now();
    const existing = jobs.byKey(ask.key);
    if (existing !== null) return viewer.backupJob(existing, now);
    const record = servers.byId(server);
    if (record === null) return refuse("server-unknown", { server });
    const active = jobs.openBackupOf(server);
    if (active !== null) return refuse("backup-active", { server: record.name, state: active.state === "queued" ? "waiting" : "running" });
    const full = this.noRoom(record.host);
    if (full !== null) return full;
    const job = storage.transactionSync(() => {
      const payload = note === undefined ? { server } : { server, note };
      const base = { kind: "backup" as const, host: record.host, server, payload, message: null };
      const added = jobs.add({ key: ask.key, ...base, requestedBy: ask.member.id, trace: ask.trace }, now);
      const message = messages.add({ kind: "backup", job: added.id }, ask, now);
      jobs.setMessage(added.id, message);
      return { ...added, message };
    });
    wake(record.host);
    return viewer.backupJob(job, now);
  }

  /** Asks for the end of a job. */
  cancel(ask: Ask, job: string): JobView | Refusal {
    const { storage, tables, jobViewer, wake, wakeAfter } = this.#parts;
    const record = tables.jobs.byId(job);
    if (record === null) return refuse("job-unknown");
    const objection = stopObjection(record);
    if (objection !== null) return refuse(objection);
    const now = this.#parts.now();
    const done = storage.transactionSync(() => tables.jobs.cancel(job, ask.member.id, now));
    if (done === null) return refuse("job-ended", { state: record.state });
    if (done === "asked") wake(record.host);
    else wakeAfter([record]);
    return jobViewer.job(tables.jobs.byId(job) ?? record, now);
  }

  /** What is known now, and a fresh look asked of every host that is there; the message is edited when they answer. */
  status(ask: Ask, server: string | undefined): StatusView | Refusal {
    const { storage, tables, presence, viewer, wake } = this.#parts;
    const { servers, hosts, jobs } = tables;
    const now = this.#parts.now();
    const wanted = server === undefined ? servers.all() : [servers.byId(server)].filter((one) => one !== null);
    if (server !== undefined && wanted.length === 0) return refuse("server-unknown", { server });
    const there = [...Map.groupBy(wanted, (one) => one.host)].filter(([id]) => {
      const host = hosts.byId(id);
      return host !== null && (KIND_RULES.status.offline === "wait" || presence.of(host, now).online);
    });
    // With a full queue there is no fresh look, but what is known is shown all the same.
    const asked = there.length > 0 && there.every(([host]) => this.noRoom(host, there.length) === null);
    if (asked && jobs.byKey(`${ask.key}/${there[0]?.[0]}`) === null) {
      storage.transactionSync(() => this.#askStatus(wanted, there, ask, now));
      for (const [host] of there) wake(host);
    }
    return viewer.status(wanted, asked, now);
  }

  /** Why a host gets no more jobs now, or null. `more`: how many the guild gets at once, one of them for this host. */
  noRoom(host: string, more = 1): Refusal | null {
    const { jobs, hosts } = this.#parts.tables;
    const name = hosts.byId(host)?.name ?? host;
    return queueObjection(jobs.queueLength(), { ...jobs.queueLength(host), name }, more);
  }

  #askStatus(wanted: ServerRecord[], online: [string, ServerRecord[]][], ask: Ask, now: Instant): void {
    const { jobs, messages } = this.#parts.tables;
    const servers = wanted.map((one) => one.id);
    const message = messages.add({ kind: "status", servers, jobs: [] }, ask, now);
    const added = online.map(([host, list]) => {
      const payload = { servers: list.map((one) => one.id) };
      const base = { key: `${ask.key}/${host}`, kind: "status" as const, host, server: null, payload };
      return jobs.add({ ...base, requestedBy: ask.member.id, message, trace: ask.trace }, now);
    });
    messages.setSubject(message, { kind: "status", servers, jobs: added.map((job) => job.id) });
  }
}
