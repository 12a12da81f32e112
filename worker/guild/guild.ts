import { DurableObject } from "cloudflare:workers";
import type {
  BeginUploadRequest,
  CompleteUploadRequest,
  Heartbeat,
  Instant,
  LeaseId,
  Outcome,
  Progress,
  ProgressResponse,
  Report,
} from "../../schemas/index.ts";
import { renderSubject } from "../discord/render.ts";
import { DiscordRest } from "../discord/rest.ts";
import type { Env } from "../env.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, problemOf, refuse } from "../refusals.ts";
import type { UploadTarget } from "./archive-desk.ts";
import { ArchiveDesk } from "./archive-desk.ts";
import { deliver } from "./delivery.ts";
import { HOSTS_MAX } from "./hosts.ts";
import { JobDesk } from "./job-desk.ts";
import type { JobRecord } from "./jobs.ts";
import type { MessageOrigin } from "./messages.ts";
import { migrate } from "./migrations.ts";
import { PollDesk } from "./poll-desk.ts";
import { HOST_HEADER } from "./poll-messages.ts";
import { Presence } from "./presence.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";
import { tablesOf } from "./tables.ts";
import { Viewer } from "./viewer.ts";
import type { BackupJobView, BackupListView, Choice, HostView, StatusView } from "./views.ts";

/** Jobs that may wait or run in a guild at a time. */
export const OPEN_JOBS_MAX = 200;

/** Who asks in Discord, and where the answer stands. `key` is the interaction's id: the same command delivered twice acts once. */
export interface Asker extends MessageOrigin {
  key: string;
  member: string;
}

/**
 * One Discord guild: its hosts, servers, jobs, backups and messages in one SQLite database, so that what belongs together commits together.
 * These methods are its whole face; decisions are in the tables and pure rules beside it.
 */
export class Guild extends DurableObject<Env> {
  /** Replaced in tests that travel in time. */
  clock: { now: () => Instant } = { now: () => Date.now() };
  readonly #tables: Tables;
  readonly #presence: Presence;
  readonly #viewer: Viewer;
  readonly #polls: PollDesk;
  readonly #outcomes: JobDesk;
  readonly #archives: ArchiveDesk;
  readonly #rest: DiscordRest;
  #alarmAt: Instant | null = null;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    migrate(state.storage);
    const now = () => this.clock.now();
    this.#tables = tablesOf(state.storage.sql);
    this.#presence = new Presence(this.#tables.hosts, (host) => state.getWebSockets(host));
    this.#viewer = new Viewer(this.#tables, this.#presence);
    const changed = (jobs: JobRecord[]) => this.#touch(jobs);
    this.#polls = new PollDesk({ ...this.#tables, state, presence: this.#presence, now, changed });
    this.#outcomes = new JobDesk({
      storage: state.storage,
      tables: this.#tables,
      presence: this.#presence,
      now,
      changed,
      wake: (host) => this.#polls.wake(host),
    });
    this.#archives = new ArchiveDesk({ ...this.#tables, bucket: env.BACKUPS, now });
    this.#rest = new DiscordRest({ apiUrl: env.DISCORD_API_URL, botToken: env.DISCORD_BOT_TOKEN, now });
    void state.blockConcurrencyWhile(async () => {
      this.#alarmAt = await state.storage.getAlarm();
    });
  }

  // Hosts

  /** Remembers an enrolment code by its hash. */
  async addEnrolmentCode(code: { hash: string; hostName: string; createdBy: string }): Promise<{ expiresAt: Instant } | Refusal> {
    const objection = this.#noRoomFor(code.hostName);
    if (objection !== null) return objection;
    return { expiresAt: this.#tables.codes.add(code, this.clock.now()) };
  }

  async enrol(request: { codeHash: string; publicKey: string; heartbeat: Heartbeat }): Promise<{ host: string; name: string } | Refusal> {
    return this.ctx.storage.transactionSync(() => {
      const now = this.clock.now();
      const used = this.#tables.codes.use(request.codeHash, (name) => this.#noRoomFor(name), now);
      if (isRefusal(used)) return used;
      const { publicKey, heartbeat } = request;
      const host = this.#tables.hosts.add({ name: used.hostName, publicKey, createdBy: used.createdBy, heartbeat }, now);
      return { host: host.id, name: host.name };
    });
  }

  /** Why a host of that name cannot be added now, or null. */
  #noRoomFor(name: string): Refusal | null {
    const { hosts } = this.#tables;
    if (hosts.byName(name) !== null) return refuse("host-name-taken", { host: name });
    return hosts.active().length >= HOSTS_MAX ? refuse("host-limit", { limit: String(HOSTS_MAX) }) : null;
  }

  /** Public key of an active host, by which its client assertion is checked. */
  async hostKey(host: string): Promise<{ publicKey: string } | Refusal> {
    return this.#cutOff(host) ?? { publicKey: this.#tables.hosts.byId(host)?.publicKey ?? "" };
  }

  async hosts(): Promise<HostView[]> {
    return this.#viewer.hosts(this.clock.now());
  }

  /** Cuts a host off: its held polls end, its jobs fail, its servers leave the guild. Its backups stay. */
  async revokeHost(name: string, by: string): Promise<{ revoked: string; jobs: number } | Refusal> {
    const host = this.#tables.hosts.byName(name);
    if (host === null) return refuse("host-not-found", { host: name });
    const now = this.clock.now();
    const jobs = this.ctx.storage.transactionSync(() => {
      this.#tables.hosts.revoke(host.id, by, now);
      this.#tables.servers.removeOf(host.id);
      // Another host may have wanted one of the ids that are free now: let all of them announce anew.
      this.#tables.hosts.forgetAnnounced();
      return this.#tables.jobs.failAllOf(host.id, problemOf(refuse("host-revoked")).body, now);
    });
    this.#touch(jobs);
    this.#polls.dismiss(host.id);
    await this.#arm();
    return { revoked: host.name, jobs: jobs.length };
  }

  // What members ask for

  async serverChoices(typed: string): Promise<Choice[]> {
    return this.#viewer.serverChoices(typed);
  }

  async hostChoices(typed: string): Promise<Choice[]> {
    return this.#viewer.hostChoices(typed);
  }

  /** Queues a backup. The same interaction again answers the job that it made. */
  async enqueueBackup(server: string, note: string | undefined, asker: Asker): Promise<BackupJobView | Refusal> {
    const { jobs, servers, messages } = this.#tables;
    const now = this.clock.now();
    const existing = jobs.byKey(asker.key);
    if (existing !== null) return this.#viewer.backupJob(existing, now);
    const record = servers.byId(server);
    if (record === null) return refuse("server-unknown", { server });
    const active = jobs.openBackupOf(server);
    if (active !== null) return refuse("backup-active", { server: record.name, state: active.state === "queued" ? "waiting" : "running" });
    if (jobs.countOpen() >= OPEN_JOBS_MAX) return refuse("queue-full", { limit: String(OPEN_JOBS_MAX) });
    const job = this.ctx.storage.transactionSync(() => {
      const payload = note === undefined ? { server } : { server, note };
      const base = { key: asker.key, kind: "backup" as const, host: record.host, server, payload, requestedBy: asker.member };
      const added = jobs.add({ ...base, message: null }, now);
      const message = messages.add({ kind: "backup", job: added.id }, asker, now);
      jobs.setMessage(added.id, message);
      return { ...added, message };
    });
    this.#polls.wake(record.host);
    await this.#arm();
    return this.#viewer.backupJob(job, now);
  }

  async cancelJob(job: string, by: string): Promise<BackupJobView | Refusal> {
    const { jobs } = this.#tables;
    const record = jobs.byId(job);
    if (record === null || record.kind !== "backup") return refuse("job-unknown");
    const now = this.clock.now();
    const done = jobs.cancel(job, by, now);
    if (done === null) return refuse("job-ended", { state: record.state });
    const after = jobs.byId(job) ?? record;
    this.#touch([after]);
    if (done === "asked") this.#polls.wake(record.host);
    await this.#arm();
    return this.#viewer.backupJob(after, now);
  }

  async backupList(server: string, page: number): Promise<BackupListView | Refusal> {
    const list = this.#viewer.backupList(server, page);
    return list.count === 0 && this.#tables.servers.byId(server) === null ? refuse("server-unknown", { server }) : list;
  }

  /** What is known now, and a fresh look asked of every host that is there; the message is edited when they answer. */
  async status(server: string | undefined, asker: Asker): Promise<StatusView | Refusal> {
    const { servers, hosts, jobs } = this.#tables;
    const now = this.clock.now();
    const wanted = server === undefined ? servers.all() : [servers.byId(server)].filter((one) => one !== null);
    if (server !== undefined && wanted.length === 0) return refuse("server-unknown", { server });
    const online = [...Map.groupBy(wanted, (one) => one.host)].filter(([id]) => {
      const host = hosts.byId(id);
      return host !== null && this.#presence.of(host, now).online;
    });
    const asked = online.length > 0 && jobs.countOpen() + online.length <= OPEN_JOBS_MAX;
    if (asked && jobs.byKey(`${asker.key}/${online[0]?.[0]}`) === null) {
      this.ctx.storage.transactionSync(() => this.#askStatus(wanted, online, asker, now));
      for (const [host] of online) this.#polls.wake(host);
      await this.#arm();
    }
    return this.#viewer.status(wanted, asked, now);
  }

  #askStatus(wanted: ServerRecord[], online: [string, ServerRecord[]][], asker: Asker, now: Instant): void {
    const { jobs, messages } = this.#tables;
    const servers = wanted.map((one) => one.id);
    const message = messages.add({ kind: "status", servers, jobs: [] }, asker, now);
    const added = online.map(([host, list]) =>
      jobs.add(
        {
          key: `${asker.key}/${host}`,
          kind: "status",
          host,
          server: null,
          payload: { servers: list.map((one) => one.id) },
          requestedBy: asker.member,
          message,
        },
        now,
      ),
    );
    messages.setSubject(message, { kind: "status", servers, jobs: added.map((job) => job.id) });
  }

  // What agents bring

  /** The Worker's held poll: a WebSocket, so that this object can hibernate meanwhile. */
  override async fetch(request: Request): Promise<Response> {
    const host = request.headers.get(HOST_HEADER);
    if (request.headers.get("upgrade") !== "websocket" || host === null) return new Response(null, { status: 400 });
    return this.#polls.accept(host);
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    this.#polls.heed(socket, typeof message === "string" ? message : new TextDecoder().decode(message));
    await this.#arm();
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    // 1005 and 1006 stand for "no code" and must not be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }

  async progress(host: string, job: string, lease: LeaseId, progress: Progress): Promise<ProgressResponse | Refusal> {
    return this.#asHost(host, () => this.#outcomes.progress(host, job, lease, progress));
  }

  async result(host: string, job: string, lease: LeaseId, outcome: Outcome): Promise<{ taken: boolean } | Refusal> {
    return this.#asHost(host, () => this.#outcomes.result(host, job, lease, outcome));
  }

  async report(host: string, report: Report): Promise<{ taken: boolean } | Refusal> {
    return this.#asHost(host, () => this.#outcomes.report(host, report));
  }

  async beginUpload(guild: string, host: string, request: BeginUploadRequest): Promise<{ upload: string } | Refusal> {
    return this.#asHost(host, () => this.#archives.begin(guild, host, request));
  }

  async uploadTarget(host: string, upload: string): Promise<UploadTarget | Refusal> {
    // Once for each part, and nothing becomes due of it: no look at the alarm.
    return this.#cutOff(host) ?? this.#archives.target(host, upload);
  }

  async completeUpload(host: string, upload: string, request: CompleteUploadRequest): Promise<{ bytes: number } | Refusal> {
    return this.#asHost(host, () => this.#archives.complete(host, upload, request));
  }

  async abortUpload(host: string, upload: string): Promise<{ aborted: true } | Refusal> {
    return this.#asHost(host, () => this.#archives.abort(host, upload));
  }

  // Time

  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    const now = () => this.clock.now();
    this.#touch(this.#tables.jobs.expire(now()));
    await this.#archives.sweep();
    const { messages } = this.#tables;
    const render = (message: Parameters<typeof renderSubject>[0]) => renderSubject(message, this.#tables, this.#viewer, now());
    await deliver({ rest: this.#rest, applicationId: this.env.DISCORD_APPLICATION_ID, messages, render, now });
    await this.#arm();
  }

  /** Sets the alarm for whatever is due next, if that is earlier than what it is set for: each setting is a row written. */
  async #arm(): Promise<void> {
    const { jobs, uploads, messages } = this.#tables;
    const due = [jobs.nextDue(), uploads.nextDue(), messages.nextDue()].filter((at) => at !== null);
    if (due.length === 0) return;
    const at = Math.min(...due);
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(at);
  }

  #touch(jobs: JobRecord[]): void {
    for (const job of jobs) if (job.message !== null) this.#tables.messages.touch(job.message, this.clock.now());
  }

  /** Why a host may not act, or null. Its access token may outlive its revocation by minutes, so each call asks. */
  #cutOff(host: string): Refusal | null {
    const record = this.#tables.hosts.byId(host);
    if (record === null) return refuse("host-unknown");
    return record.revokedAt === null ? null : refuse("host-revoked");
  }

  /** Does what an active host asks for, and sees to it that what becomes due of it is done. */
  async #asHost<T>(host: string, act: () => T | Refusal | Promise<T | Refusal>): Promise<T | Refusal> {
    const cut = this.#cutOff(host);
    if (cut !== null) return cut;
    const done = await act();
    await this.#arm();
    return done;
  }
}
