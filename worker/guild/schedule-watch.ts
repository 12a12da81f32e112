import type { AnnouncedSchedule, Instant } from "../../schemas/index.ts";
import type { HostRecord } from "./hosts.ts";
import type { Known, MissedCause, MissedNotice, ReportedRun } from "./missed-rules.ts";
import { afterRun, findMissed, nextJudgement, withMissed, withoutSchedule } from "./missed-rules.ts";
import type { Presence } from "./presence.ts";
import type { RunRecord } from "./runs.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";
import { clockKey } from "./trouble-desk.ts";

export interface ScheduleWatchParts {
  storage: DurableObjectStorage;
  tables: Tables;
  presence: Presence;
  now: () => Instant;
}

/**
 * Finds scheduled backups that do not come in, by time alone: the agents may be gone. Nothing is written while all is well. When a server's
 * schedules have to be looked at next stands in memory; the alarm, which was set for it, outlives an eviction.
 */
export class ScheduleWatch {
  readonly #parts: ScheduleWatchParts;
  readonly #due = new Map<string, { host: string; at: Instant }>();
  /** Whether every server with schedules is in the map. */
  #whole = false;

  constructor(parts: ScheduleWatchParts) {
    this.#parts = parts;
  }

  /** When something can next be found missing. With an alarm set, only what has changed since counts: it was set for the rest. */
  nextDue(armed: boolean): Instant | null {
    if (!armed) this.#fill();
    const dues = [...this.#due.values()].map(({ at }) => at);
    return dues.length === 0 ? null : Math.min(...dues);
  }

  /** A host announced other servers or schedules, or is gone. */
  announced(host: string): void {
    const { tables, now } = this.#parts;
    for (const [server, due] of this.#due) if (due.host === host) this.#due.delete(server);
    for (const { key, notice } of tables.notices.open("backup-missed").filter((open) => open.notice.host === host)) {
      const schedule = this.#scheduleOf(notice);
      if (schedule === null) tables.notices.change(key, withoutSchedule(notice, "gone", now()), now());
      else if (schedule.paused) tables.notices.change(key, withoutSchedule(notice, "paused", now()), now());
    }
    for (const server of tables.servers.of(host)) this.#look(server);
  }

  /** A run was told of: it may settle what was missed. Call it in the transaction of the report. */
  ran(run: RunRecord): void {
    const { tables, now } = this.#parts;
    const key = missedKey(run.server, run.schedule);
    const told = missedNotice(tables, key, run.host);
    if (told !== null) {
      const after = afterRun(told, reported(run), this.#scheduleOf(run), now());
      if (after !== null) tables.notices.change(key, after, now());
    }
    const server = tables.servers.byId(run.server);
    if (server !== null) this.#look(server);
  }

  /** Tells of what is missing by now. */
  judge(): void {
    const { storage, tables, now } = this.#parts;
    this.#fill();
    for (const [id] of [...this.#due].filter(([, { at }]) => at <= now())) {
      const server = tables.servers.byId(id);
      if (server === null) this.#due.delete(id);
      else {
        storage.transactionSync(() => this.#judgeServer(server));
        this.#look(server);
      }
    }
  }

  #judgeServer(server: ServerRecord): void {
    const { tables, now } = this.#parts;
    const host = tables.hosts.byId(server.host);
    if (host === null || host.revokedAt !== null) return;
    for (const schedule of server.schedules ?? []) {
      const known = this.#known(host, server, schedule);
      const due = nextJudgement(schedule, known);
      const found = due === null || due > now() ? null : findMissed(schedule, known, now());
      const newest = found?.missed.at(-1);
      if (found === null || newest === undefined) continue;
      const cause = newest.startedAt === null ? this.#cause(host, schedule, newest.nominal) : ({ kind: "not-ended" } as const);
      const about = { host: host.id, server: server.id, schedule: schedule.name, cause };
      const { notice, fresh } = withMissed(known, found, about, now());
      const key = missedKey(server.id, schedule.name);
      if (fresh) tables.notices.tell(key, notice, now());
      else tables.notices.change(key, notice, now());
    }
  }

  /** Why no run began, by the evidence at hand. */
  #cause(host: HostRecord, schedule: AnnouncedSchedule, nominal: Instant): MissedCause {
    const { tables, presence, now } = this.#parts;
    const sight = presence.of(host, now());
    if (!sight.online) return { kind: "host-offline", seenAt: sight.seenAt };
    const startedAt = host.heartbeat?.startedAt ?? 0;
    if (startedAt > nominal) return { kind: "agent-started-later", startedAt };
    if (schedule.paused && schedule.pausedUntil !== undefined) return { kind: "pause-over", until: schedule.pausedUntil };
    const clock = tables.notices.of(clockKey(host.id))?.notice;
    return clock?.kind === "clock-skew" && clock.overAt === null ? { kind: "clock-skew" } : { kind: "silent" };
  }

  #known(host: HostRecord, server: ServerRecord, { name }: AnnouncedSchedule): Known {
    const { tables, now } = this.#parts;
    const { runs } = tables;
    return {
      enrolledAt: host.createdAt,
      announcedAt: server.announcedAt,
      latest: runs.last(host.id, server.id, name, now())?.nominal ?? null,
      good: runs.lastGood(host.id, server.id, name, now()),
      unfinished: runs.unfinished(host.id, server.id, name),
      notice: missedNotice(tables, missedKey(server.id, name), host.id),
    };
  }

  /** Makes sure that every server with schedules is in the map: after an eviction none is. */
  #fill(): void {
    if (this.#whole) return;
    for (const server of this.#parts.tables.servers.scheduled()) if (!this.#due.has(server.id)) this.#look(server);
    this.#whole = true;
  }

  #look(server: ServerRecord): void {
    const host = this.#parts.tables.hosts.byId(server.host);
    const active = host !== null && host.revokedAt === null;
    const dues = active ? (server.schedules ?? []).map((schedule) => nextJudgement(schedule, this.#known(host, server, schedule))) : [];
    const some = dues.filter((at) => at !== null);
    if (some.length === 0) this.#due.delete(server.id);
    else this.#due.set(server.id, { host: server.host, at: Math.min(...some) });
  }

  #scheduleOf({ host, server, schedule }: { host: string; server: string; schedule: string }): AnnouncedSchedule | null {
    const record = this.#parts.tables.servers.byId(server);
    return record?.host === host ? (record.schedules?.find(({ name }) => name === schedule) ?? null) : null;
  }
}

/** What was told of a schedule's missed backups, while the server is still the same host's. */
export function missedNotice({ notices }: Tables, key: string, host: string): MissedNotice | null {
  const notice = notices.of(key)?.notice;
  return notice?.kind === "backup-missed" && notice.host === host ? notice : null;
}

export function missedKey(server: string, schedule: string): string {
  return `missed/${server}/${schedule}`;
}

function reported({ nominal, startedAt, state, endedAt, reason }: RunRecord): ReportedRun {
  if (state === "started" || endedAt === null) return { nominal, startedAt, end: null };
  return { nominal, startedAt, end: { how: state, at: endedAt, unneeded: reason === "unchanged" } };
}
