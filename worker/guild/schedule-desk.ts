import type { Instant, SchedulePayload, ScheduleResult } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { Ask } from "./ask.ts";
import type { RequestDesk } from "./request-desk.ts";
import type { ScheduleJobView, ScheduleListView } from "./schedule-view.ts";
import type { ScheduleWatch } from "./schedule-watch.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";
import { parseUntil } from "./until.ts";
import type { Viewer } from "./viewer.ts";
import type { BackupJobView, Choice } from "./views.ts";

export interface ScheduleDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  viewer: Viewer;
  watch: ScheduleWatch;
  requests: RequestDesk;
  now: () => Instant;
  /** Tells the held polls of a host that there is something for it. */
  wake: (host: string) => void;
}

/** What a member wants of a schedule; without a name, of all that the server has. */
export interface ScheduleChange {
  action: SchedulePayload["action"];
  schedule?: string | undefined;
  /** As the member typed it. */
  until?: string | undefined;
}

/** Discord takes at most 25 choices. */
const CHOICES_MAX = 25;

/** What members ask for about schedules, which run on the hosts. Whether they may has been decided before. */
export class ScheduleDesk {
  readonly #parts: ScheduleDeskParts;

  constructor(parts: ScheduleDeskParts) {
    this.#parts = parts;
  }

  list(server: string | undefined): ScheduleListView | Refusal {
    const { tables, viewer, now } = this.#parts;
    if (server === undefined) return viewer.schedules(tables.servers.scheduled(), now());
    const record = tables.servers.byId(server);
    return record === null ? refuse("server-unknown", { server }) : viewer.schedules([record], now());
  }

  /** A backup now, as the schedule would make it. */
  run(ask: Ask, server: string, schedule: string | undefined): BackupJobView | Refusal {
    const record = this.#withSchedule(server, schedule);
    if (isRefusal(record)) return record;
    const names = (record.schedules ?? []).map(({ name }) => name);
    const named = schedule ?? (names.length === 1 ? names[0] : undefined);
    if (named === undefined) return refuse("schedule-ambiguous", { server: record.name, schedules: names.join(", ") });
    return this.#parts.requests.backup(ask, server, `Schedule ${named}, run by hand`);
  }

  /** Pauses or resumes one schedule, or all of the server. The same interaction again answers the job that it made. */
  change(ask: Ask, server: string, wanted: ScheduleChange): ScheduleJobView | Refusal {
    const { storage, tables, viewer, requests, wake } = this.#parts;
    const now = this.#parts.now();
    const existing = tables.jobs.byKey(ask.key);
    if (existing !== null) return viewer.scheduleJob(existing, now);
    const record = this.#withSchedule(server, wanted.schedule);
    if (isRefusal(record)) return record;
    const until = wanted.until === undefined ? undefined : parseUntil(wanted.until, tables.settings.get().timeZone, now);
    if (typeof until === "string") return refuse("option-invalid", { option: "until", reason: until });
    const full = requests.noRoom(record.host);
    if (full !== null) return full;
    const { action, schedule } = wanted;
    const payload = {
      server,
      ...(schedule === undefined ? {} : { schedule }),
      action,
      ...(until === undefined ? {} : { until: until.at }),
    };
    const job = storage.transactionSync(() => {
      const base = { key: ask.key, kind: "schedule" as const, host: record.host, server, payload, message: null };
      const added = tables.jobs.add({ ...base, requestedBy: ask.member.id, trace: ask.trace }, now);
      tables.jobs.setMessage(added.id, tables.messages.add({ kind: "schedule", job: added.id }, ask, now));
      const change = { action, schedule: schedule ?? "all", ...(until === undefined ? {} : { until: until.at }) };
      const who = { actor: `member ${ask.member.id}`, allowedBy: null, command: ask.command.name };
      tables.audit.write({ kind: "schedule", ...who, server, job: added.id, change }, now);
      return added;
    });
    wake(record.host);
    return viewer.scheduleJob(job, now);
  }

  /** A host has paused or resumed: that is how its schedules are from now on, also before it announces them anew. */
  changed(host: string, { server, schedules }: ScheduleResult): void {
    this.#parts.tables.servers.setSchedules(host, server, schedules);
    this.#parts.watch.announced(host);
  }

  /** Names of schedules, of the servers on which the member may use the command. */
  choices(typed: string, may: (server: string) => boolean): Choice[] {
    const servers = this.#parts.tables.servers.scheduled().filter(({ id }) => may(id));
    const names = new Set(servers.flatMap(({ schedules }) => (schedules ?? []).map(({ name }) => name)));
    const wanted = typed.trim().toLowerCase();
    const found = [...names].filter((name) => name.includes(wanted)).sort();
    return found.slice(0, CHOICES_MAX).map((name) => ({ name, value: name }));
  }

  #withSchedule(server: string, schedule: string | undefined): ServerRecord | Refusal {
    const record = this.#parts.tables.servers.byId(server);
    if (record === null) return refuse("server-unknown", { server });
    const schedules = record.schedules ?? [];
    if (schedules.length === 0) return refuse("schedule-none", { server: record.name });
    const known = schedule === undefined || schedules.some(({ name }) => name === schedule);
    return known ? record : refuse("schedule-unknown", { server: record.name, schedule });
  }
}
