import type { BackupPayload, BackupResult, Instant } from "../../schemas/index.ts";
import { backupName, SAFETY_KEPT_DAYS } from "../../schemas/index.ts";
import { isOlder } from "../agent-version.ts";
import type { Format } from "../discord/text.ts";
import { VERSION } from "../version.ts";
import { isEnd } from "./job-rules.ts";
import type { JobRecord } from "./jobs.ts";
import type { Presence } from "./presence.ts";
import type { RestoreView } from "./restore-view.ts";
import { restoreView } from "./restore-view.ts";
import type { RunResultView, ScheduleJobView, ScheduleListView } from "./schedule-view.ts";
import { runResultView, scheduleJobView, scheduleListView } from "./schedule-view.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";
import { markOf, proofView, verifiedView } from "./verification-view.ts";
import type { BackupJobView, BackupListView, Choice, HostView, ServerView, StatusView } from "./views.ts";

/** Backups on one page of `/backup list`: what fits into an embed with room to spare. */
export const BACKUPS_PER_PAGE = 8;
/** Discord takes at most 25 choices. */
const CHOICES_MAX = 25;
const DAY_MS = 24 * 60 * 60_000;

/** Reads the guild's tables into what people are shown. Writes nothing. */
export class Viewer {
  readonly #tables: Tables;
  readonly #presence: Presence;

  constructor(tables: Tables, presence: Presence) {
    this.#tables = tables;
    this.#presence = presence;
  }

  /** How this guild wants numbers and times written. */
  format(): Format {
    const { locale, timeZone } = this.#tables.settings.get();
    return { locale, timeZone };
  }

  hosts(now: Instant): HostView[] {
    return this.#tables.hosts.active().map((host) => {
      const sight = this.#presence.of(host, now);
      return {
        id: host.id,
        name: host.name,
        online: sight.online,
        seenAt: sight.seenAt,
        createdAt: host.createdAt,
        agentVersion: host.heartbeat?.agentVersion ?? null,
        platform: host.heartbeat?.platform ?? null,
        updateAvailable: host.heartbeat !== null && isOlder(host.heartbeat.agentVersion, VERSION),
        address: host.address,
        allowlist: host.allowlist,
        keyChangedAt: host.keyChangedAt,
        servers: this.#tables.servers.of(host.id).map((server) => server.id),
      };
    });
  }

  backupJob(job: JobRecord, now: Instant): BackupJobView {
    const server = job.server === null ? null : this.#tables.servers.byId(job.server);
    const host = this.#tables.hosts.byId(job.host);
    const sight = host === null ? null : this.#presence.of(host, now);
    return {
      format: this.format(),
      kind: "backup",
      job: job.id,
      server: job.server ?? "",
      serverName: server?.name ?? job.server ?? "",
      hostName: host?.name ?? job.host,
      hostOnline: sight?.online ?? false,
      hostSeenAt: sight?.seenAt ?? null,
      state: job.state,
      cancelling: job.cancelAt !== null && !isEnd(job.state),
      attempt: job.attempt,
      requestedBy: job.requestedBy,
      note: (job.payload as BackupPayload).note ?? null,
      createdAt: job.createdAt,
      startedAt: job.startedAt,
      endedAt: job.endedAt,
      deadline: job.deadline,
      progress: job.progress,
      result: job.result as BackupResult | null,
      proof: job.server === null ? null : proofView(job.server, this.#tables),
      error: job.error,
      notice: job.notice,
    };
  }

  /** Null when it is no longer kept. */
  restore(id: string, now: Instant): RestoreView | null {
    const restore = this.#tables.restores.byId(id);
    return restore === null ? null : restoreView(restore, this.#tables, this.#presence, this.format(), now);
  }

  scheduleJob(job: JobRecord, now: Instant): ScheduleJobView {
    return scheduleJobView(job, this.#tables, this.#presence, now);
  }

  schedules(servers: ServerRecord[], now: Instant): ScheduleListView {
    return scheduleListView(servers, this.#tables, this.#presence, now);
  }

  /** Null when the run or its backup is no longer kept. */
  runResult(run: number): RunResultView | null {
    return runResultView(run, this.#tables, this.format());
  }

  status(servers: ServerRecord[], refreshing: boolean, now: Instant): StatusView {
    return { format: this.format(), kind: "status", servers: servers.map((server) => this.#server(server, now)), refreshing, now };
  }

  backupList(server: string, page: number): BackupListView {
    const { count, bytes, sourceBytes } = this.#tables.backups.summary(server);
    const pages = Math.max(1, Math.ceil(count / BACKUPS_PER_PAGE));
    const shown = Math.min(Math.max(0, page), pages - 1);
    const backups = this.#tables.backups.of(server, { limit: BACKUPS_PER_PAGE, offset: shown * BACKUPS_PER_PAGE });
    return {
      format: this.format(),
      server,
      serverName: this.#tables.servers.byId(server)?.name ?? server,
      page: shown,
      pages,
      count,
      bytes,
      sourceBytes,
      backups: backups.map((backup) => ({
        name: backupName(backup),
        format: backup.format,
        at: backup.startedAt,
        bytes: backup.bytes,
        sourceBytes: backup.sourceBytes,
        files: backup.files,
        store: backup.store,
        place: backup.place,
        consistency: backup.consistency,
        note: backup.note ?? null,
        pinned: backup.pin !== null,
        tags: backup.tags,
        safetyUntil: backup.purpose === "safety" ? backup.createdAt + SAFETY_KEPT_DAYS * DAY_MS : null,
        mark: markOf(server, backup, this.#tables),
      })),
    };
  }

  serverChoices(typed: string, may: (server: string) => boolean): Choice[] {
    const shown = this.#tables.servers.all().filter((server) => may(server.id));
    const choices = shown.map((server) => ({ name: choiceName(server.name, server.id), value: server.id }));
    return matching(choices, typed);
  }

  hostChoices(typed: string): Choice[] {
    return matching(
      this.#tables.hosts.active().map((host) => ({ name: host.name, value: host.name })),
      typed,
    );
  }

  #server(server: ServerRecord, now: Instant): ServerView {
    const host = this.#tables.hosts.byId(server.host);
    const sight = host === null ? null : this.#presence.of(host, now);
    const last = this.#tables.backups.newest(server.id);
    const active = this.#tables.restores.activeOn(server.id);
    return {
      id: server.id,
      name: server.name,
      gameName: server.gameName,
      hostName: host?.name ?? server.host,
      hostOnline: sight?.online ?? false,
      hostSeenAt: sight?.seenAt ?? null,
      status: sight?.status?.servers.find((status) => status.server === server.id) ?? null,
      lastBackup: last === null ? null : { at: last.startedAt, bytes: last.bytes, consistency: last.consistency },
      backupRunning: this.#tables.jobs.openBackupOf(server.id) !== null,
      verified: verifiedView(server.id, this.#tables),
      restoring: active !== null && active.payload.to === undefined,
    };
  }
}

function choiceName(name: string, id: string): string {
  return name === id ? id : `${name} (${id})`.slice(0, 100);
}

function matching(choices: Choice[], typed: string): Choice[] {
  const wanted = typed.trim().toLowerCase();
  return choices.filter((choice) => choice.name.toLowerCase().includes(wanted)).slice(0, CHOICES_MAX);
}
