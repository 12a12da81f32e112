import { DurableObject } from "cloudflare:workers";
import type {
  ArchiveList,
  BeginUploadRequest,
  CompleteUploadRequest,
  Instant,
  LeaseId,
  Outcome,
  Progress,
  ProgressResponse,
  Report,
  RotateRequest,
} from "../../schemas/index.ts";
import { allowsAddress } from "../addresses.ts";
import type { PathTrick } from "../agent-api/path-tricks.ts";
import { renderSubject } from "../discord/render.ts";
import { DiscordRest } from "../discord/rest.ts";
import type { Env } from "../env.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { CommandRight, Grant } from "./access-rules.ts";
import type { UploadTarget } from "./archive-desk.ts";
import type { Ask } from "./ask.ts";
import type { AuditFilter } from "./audit.ts";
import type { AuditView } from "./audit-desk.ts";
import type { BackupStatsView } from "./backup-stats.ts";
import { backupStats } from "./backup-stats.ts";
import type { WantedCredential } from "./credential-desk.ts";
import { deliver } from "./delivery.ts";
import type { Desks } from "./desks.ts";
import { openDesks } from "./desks.ts";
import type { GrantRecord } from "./grants.ts";
import type { HostCall } from "./host-call.ts";
import type { AllowlistView, Enrolment } from "./host-desk.ts";
import { FORGERIES_PER_REPORT } from "./incident-rules.ts";
import type { JobListView, JobView } from "./job-views.ts";
import { migrate } from "./migrations.ts";
import { ADDRESS_HEADER, HOST_HEADER } from "./poll-messages.ts";
import type { RateLimits } from "./rate-rules.ts";
import type { CredentialRecord } from "./repository-credentials.ts";
import type { Admission, RepositoryCall, RepositoryCaller, StoredFile } from "./repository-desk.ts";
import type { RepositoryUsage } from "./repository-files.ts";
import type { WantedRestore } from "./restore-desk.ts";
import type { RestoreView } from "./restore-view.ts";
import type { BackupMark, WantedPolicy } from "./retention-desk.ts";
import type { MarkedView, PolicyView, PreviewView, UndeletedView } from "./retention-view.ts";
import type { ScheduleChange } from "./schedule-desk.ts";
import type { ScheduleJobView, ScheduleListView } from "./schedule-view.ts";
import type { Named } from "./security-desk.ts";
import { addressed, namesIn } from "./security-desk.ts";
import type { SettingKey, Settings } from "./settings-rules.ts";
import type { BackupJobView, BackupListView, Choice, HostView, StatusView } from "./views.ts";

/**
 * One Discord guild: its hosts, servers, jobs, backups and messages in one SQLite database, so that what belongs together commits together.
 * These methods are its whole face; decisions are in the tables, the desks and the pure rules beside it.
 *
 * What members ask for begins with an `Ask`: whether they may is decided here, before anything is stored or queued.
 */
export class Guild extends DurableObject<Env> {
  /** Replaced in tests that travel in time. */
  clock: { now: () => Instant } = { now: () => Date.now() };
  readonly #desks: Desks;
  readonly #rest: DiscordRest;
  #alarmAt: Instant | null = null;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    migrate(state.storage);
    const now = () => this.clock.now();
    this.#desks = openDesks({ state, env, now, cutOff: (from) => this.#cutOff(from) });
    this.#rest = new DiscordRest({ apiUrl: env.DISCORD_API_URL, botToken: env.DISCORD_BOT_TOKEN, now });
    void state.blockConcurrencyWhile(async () => {
      this.#alarmAt = await state.storage.getAlarm();
    });
  }

  // What members ask for: hosts

  /** Remembers an enrolment code by its hash. */
  async addEnrolmentCode(ask: Ask, code: { hash: string; hostName: string }): Promise<{ expiresAt: Instant } | Refusal> {
    return this.#asMember(ask, null, () => this.#desks.hosts.addCode(ask, code));
  }

  async hosts(ask: Ask): Promise<HostView[] | Refusal> {
    return this.#asMember(ask, null, () => this.#desks.viewer.hosts(this.clock.now()));
  }

  /** Cuts a host off, after its name was typed once more; its held polls end. */
  async revokeHost(ask: Ask, id: string, typed: string): Promise<{ revoked: string; jobs: number } | Refusal> {
    return this.#asMember(ask, null, () => {
      const done = this.#desks.hosts.revoke(ask, id, typed);
      if (isRefusal(done)) return done;
      this.#desks.polls.dismiss(done.host.id);
      this.#desks.watch.announced(done.host.id);
      this.#desks.troubles.gone(done.host.id);
      this.#desks.retention.hostRevoked(done.host.id);
      return { revoked: done.host.name, jobs: done.jobs };
    });
  }

  /** Says from which addresses a host may call; an empty list allows all. Its held polls begin anew, so that it holds at once. */
  async allowAddresses(ask: Ask, host: string, addresses: string): Promise<AllowlistView | Refusal> {
    return this.#asMember(ask, null, (again) => {
      const polledFrom = (id: string) => this.#desks.polls.addressOf(id);
      if (again) return this.#desks.hosts.allowed(host, polledFrom);
      const done = this.#desks.hosts.allow(ask, host, addresses, polledFrom);
      if (!isRefusal(done)) this.#desks.polls.supersede(done.host);
      return done;
    });
  }

  // What members ask for: servers and jobs

  async enqueueBackup(ask: Ask, server: string, note: string | undefined): Promise<BackupJobView | Refusal> {
    return this.#asMember(ask, server, () => this.#desks.requests.backup(ask, server, note));
  }

  async cancelJob(ask: Ask, job: string): Promise<JobView | Refusal> {
    return this.#asMember(ask, this.#serverOf(job), () => this.#desks.requests.cancel(ask, job));
  }

  async jobs(ask: Ask, filter: JobListView["filter"], page: number): Promise<JobListView | Refusal> {
    return this.#asMember(ask, filter.server ?? null, () => this.#desks.jobViewer.list(filter, page));
  }

  async job(ask: Ask, id: string): Promise<JobView | Refusal> {
    return this.#asMember(ask, this.#serverOf(id), () => {
      const job = this.#desks.tables.jobs.byId(id);
      return job === null ? refuse("job-unknown") : this.#desks.jobViewer.job(job, this.clock.now());
    });
  }

  async backupList(ask: Ask, server: string, page: number): Promise<BackupListView | Refusal> {
    return this.#asMember(ask, server, () => {
      const list = this.#desks.viewer.backupList(server, page);
      return list.count === 0 && this.#desks.tables.servers.byId(server) === null ? refuse("server-unknown", { server }) : list;
    });
  }

  /** How the backups of a server grew. */
  async backupStats(ask: Ask, server: string): Promise<BackupStatsView | Refusal> {
    return this.#asMember(ask, server, () => {
      const stats = backupStats(server, this.#desks.tables, this.#desks.viewer.format());
      return stats.count === 0 && this.#desks.tables.servers.byId(server) === null ? refuse("server-unknown", { server }) : stats;
    });
  }

  async status(ask: Ask, server: string | undefined): Promise<StatusView | Refusal> {
    return this.#asMember(ask, server ?? null, () => this.#desks.requests.status(ask, server));
  }

  // What members ask for: schedules

  async schedules(ask: Ask, server: string | undefined): Promise<ScheduleListView | Refusal> {
    return this.#asMember(ask, server ?? null, () => this.#desks.schedules.list(server));
  }

  /** A backup now, as a schedule would make it. */
  async runSchedule(ask: Ask, server: string, schedule: string | undefined): Promise<BackupJobView | Refusal> {
    return this.#asMember(ask, server, () => this.#desks.schedules.run(ask, server, schedule));
  }

  /** Asks a host to pause or resume one schedule of a server, or all of them. */
  async changeSchedule(ask: Ask, server: string, change: ScheduleChange): Promise<ScheduleJobView | Refusal> {
    return this.#asMember(ask, server, () => this.#desks.schedules.change(ask, server, change));
  }

  // What members ask for: restores

  /** Asks the host what a restore would do; its message becomes the preview, and then that of the restore. */
  async planRestore(ask: Ask, server: string, wanted: WantedRestore): Promise<RestoreView | Refusal> {
    return this.#asMember(ask, server, () => this.#desks.restores.plan(ask, server, wanted));
  }

  async confirmRestore(ask: Ask, id: string): Promise<RestoreView | Refusal> {
    return this.#asMember(ask, this.#desks.restores.serverOf(id), () => this.#desks.restores.confirm(ask, id));
  }

  /** Stops a comparison or a restore, or declines a preview. */
  async cancelRestore(ask: Ask, id: string): Promise<RestoreView | Refusal> {
    return this.#asMember(ask, this.#desks.restores.serverOf(id), () => this.#desks.restores.cancel(ask, id));
  }

  /** Asks whether a restore shall be taken back. */
  async undoRestore(ask: Ask, id: string): Promise<RestoreView | Refusal> {
    return this.#asMember(ask, this.#desks.restores.serverOf(id), () => this.#desks.restores.undo(ask, id));
  }

  // What members ask for: repositories

  /** Remembers a credential of the `restic` program by its hash. */
  async addCredential(ask: Ask, wanted: WantedCredential): Promise<CredentialRecord | Refusal> {
    return this.#asMember(ask, wanted.server, () => this.#desks.credentials.add(ask, wanted));
  }

  /** Those that work. */
  async credentials(ask: Ask): Promise<CredentialRecord[] | Refusal> {
    return this.#asMember(ask, null, () => this.#desks.credentials.all());
  }

  async revokeCredential(ask: Ask, id: number): Promise<CredentialRecord | Refusal> {
    return this.#asMember(ask, null, () => this.#desks.credentials.revoke(ask, id));
  }

  /** What the repositories hold in R2: of one server, or of all. */
  async repositoryUsage(ask: Ask, server: string | null): Promise<(RepositoryUsage & { quota: number | null }) | Refusal> {
    return this.#asMember(ask, server, () => this.#desks.repositories.usage(server));
  }

  // What members ask for: which backups stay

  async retention(ask: Ask, server: string | null): Promise<PolicyView | Refusal> {
    return this.#asMember(ask, server, () => this.#desks.retention.show(server));
  }

  /** @param server Null for all; `wanted` null to take the policy away */
  async setRetention(ask: Ask, server: string | null, wanted: WantedPolicy | null): Promise<PolicyView | Refusal> {
    return this.#asMember(ask, server, (again) =>
      again ? this.#desks.retention.show(server) : this.#desks.retention.set(ask, server, wanted),
    );
  }

  async previewRetention(ask: Ask, server: string, asked: WantedPolicy | null): Promise<PreviewView | Refusal> {
    return this.#asMember(ask, server, () => this.#desks.retention.preview(server, asked));
  }

  async resumeRetention(ask: Ask, server: string): Promise<PolicyView | Refusal> {
    return this.#asMember(ask, server, (again) => (again ? this.#desks.retention.show(server) : this.#desks.retention.resume(ask, server)));
  }

  /** Pins a backup, takes the pin away, or gives it other tags. */
  async markBackup(ask: Ask, backup: string, mark: BackupMark): Promise<MarkedView | Refusal> {
    const { retention, tables } = this.#desks;
    return this.#asMember(ask, tables.backups.byId(backup)?.server ?? null, (again) => {
      if (again) return retention.marked(backup);
      if (mark.kind === "tag") return retention.tag(ask, backup, mark.tags);
      return mark.kind === "pin" ? retention.pin(ask, backup, mark.note) : retention.unpin(ask, backup);
    });
  }

  /** Brings back what retention took out of the lists: one backup of a server, or all. */
  async undelete(ask: Ask, server: string, backup: string | undefined): Promise<UndeletedView | Refusal> {
    return this.#asMember(ask, server, (again) =>
      again ? this.#desks.retention.undeleted(server) : this.#desks.retention.undelete(ask, server, backup),
    );
  }

  // What members ask for: rights and settings

  async grants(ask: Ask, server: string | undefined): Promise<GrantRecord[] | Refusal> {
    return this.#asMember(ask, null, () => this.#desks.rights.grants(server));
  }

  async grant(ask: Ask, wanted: Omit<Grant, "id">): Promise<{ grant: GrantRecord; fresh: boolean } | Refusal> {
    return this.#asMember(ask, null, (again) => (again ? this.#desks.rights.granted(wanted) : this.#desks.rights.grant(ask, wanted)));
  }

  async revokeGrant(ask: Ask, id: number): Promise<GrantRecord | Refusal> {
    return this.#asMember(ask, null, () => this.#desks.rights.revoke(ask, id));
  }

  async settings(ask: Ask): Promise<Settings | Refusal> {
    return this.#asMember(ask, null, () => this.#desks.rights.settings());
  }

  async setSettings(ask: Ask, changes: Partial<Record<SettingKey, string | null>>): Promise<Settings | Refusal> {
    return this.#asMember(ask, null, (again) => (again ? this.#desks.rights.settings() : this.#desks.rights.set(ask, changes)));
  }

  async auditPage(ask: Ask, filter: AuditFilter, page: number): Promise<AuditView | Refusal> {
    return this.#asMember(ask, filter.server ?? null, () => this.#desks.audit.page(filter, page));
  }

  /** The audit log as JSON lines. */
  async auditFile(ask: Ask): Promise<{ content: string } | Refusal> {
    return this.#asMember(ask, null, async () => ({ content: await this.#desks.audit.file() }));
  }

  /** Those of the commands with which the member may do anything, and how often it may. */
  async permitted(ask: Ask, commands: CommandRight[]): Promise<{ names: string[]; limits: RateLimits } | Refusal> {
    const { limits } = this.#desks.rights.settings();
    return this.#asMember(ask, null, () => ({ names: this.#desks.members.permitted(ask.member, commands), limits }));
  }

  // What is offered while a member types: nothing that the member may not use, and nothing is counted

  async serverChoices(ask: Ask, typed: string): Promise<Choice[]> {
    return this.#desks.viewer.serverChoices(typed, (server) => this.#desks.members.may(ask.member, ask.command, server));
  }

  async restorableChoices(ask: Ask, server: string, typed: string): Promise<Choice[]> {
    return this.#desks.members.may(ask.member, ask.command, server) ? this.#desks.restores.backupChoices(server, typed) : [];
  }

  async eventChoices(ask: Ask, server: string, typed: string): Promise<Choice[]> {
    return this.#desks.members.may(ask.member, ask.command, server) ? this.#desks.restores.eventChoices(server, typed) : [];
  }

  async scheduleChoices(ask: Ask, typed: string): Promise<Choice[]> {
    return this.#desks.schedules.choices(typed, (server) => this.#desks.members.may(ask.member, ask.command, server));
  }

  async permittedChoices(ask: Ask, commands: CommandRight[]): Promise<string[]> {
    return this.#desks.members.permitted(ask.member, commands);
  }

  async backupChoices(ask: Ask, typed: string, which: "listed" | "pinned" | "doomed"): Promise<Choice[]> {
    return this.#desks.retention.choices(typed, which, (server) => this.#desks.members.may(ask.member, ask.command, server));
  }

  async jobChoices(ask: Ask, typed: string, open: boolean): Promise<Choice[]> {
    const may = (server: string | null) => this.#desks.members.may(ask.member, ask.command, server);
    return this.#desks.jobViewer.choices(typed, open, may, this.clock.now());
  }

  async hostChoices(ask: Ask, typed: string): Promise<Choice[]> {
    return this.#desks.members.may(ask.member, ask.command, null) ? this.#desks.viewer.hostChoices(typed) : [];
  }

  async grantChoices(ask: Ask): Promise<GrantRecord[]> {
    return this.#desks.members.may(ask.member, ask.command, null) ? this.#desks.rights.grants(undefined) : [];
  }

  async credentialChoices(ask: Ask, typed: string): Promise<Choice[]> {
    return this.#desks.members.may(ask.member, ask.command, null) ? this.#desks.credentials.choices(typed) : [];
  }

  // What agents bring

  async enrol(request: Enrolment): Promise<{ host: string; name: string } | Refusal> {
    const enrolled = this.#desks.hosts.enrol(request);
    // A guess that names the guild by its tag; the other refusals are mistakes.
    if (isRefusal(enrolled) && enrolled.refused === "code-invalid") this.#desks.security.note("bad-credential", addressed(request.address));
    await this.#arm();
    return enrolled;
  }

  /** Whether a host may have an access token for this client assertion. */
  async admitAssertion(from: HostCall, assertion: string, origin: string): Promise<{ admitted: true } | Refusal> {
    const admitted = await this.#desks.keys.admit(from, assertion, origin);
    if (isRefusal(admitted)) await this.#arm();
    return admitted;
  }

  async rotateKey(from: HostCall, request: RotateRequest, origin: string): Promise<{ rotated: true } | Refusal> {
    return this.#asHost(from, () => this.#desks.keys.rotate(from, request, origin));
  }

  /** A host sent a name that is made to leave its place. It was refused before it came here. */
  async notePathTrick(from: HostCall, trick: PathTrick): Promise<void> {
    await this.#asHost(from, () => {
      console.warn({ message: "a host tried a path", host: from.host, ...trick });
      this.#desks.security.note("path-trick", `host ${from.host}`);
    });
  }

  /** An address sent many interactions for this guild that Discord did not sign. */
  async noteForgeries(address: string | null): Promise<void> {
    this.#desks.security.note("bad-signature", addressed(address), FORGERIES_PER_REPORT);
    await this.#arm();
  }

  /** The Worker's held poll: a WebSocket, so that this object can hibernate meanwhile. */
  override async fetch(request: Request): Promise<Response> {
    const host = request.headers.get(HOST_HEADER);
    if (request.headers.get("upgrade") !== "websocket" || host === null) return new Response(null, { status: 400 });
    return this.#desks.polls.accept({ host, address: request.headers.get(ADDRESS_HEADER) || null });
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    this.#desks.polls.heed(socket, typeof message === "string" ? message : new TextDecoder().decode(message));
    await this.#arm();
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    // 1005 and 1006 stand for "no code" and must not be sent.
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }

  async progress(from: HostCall, job: string, lease: LeaseId, progress: Progress): Promise<ProgressResponse | Refusal> {
    return this.#asHost(from, () => this.#desks.outcomes.progress(from.host, job, lease, progress), { jobs: [job] });
  }

  async result(from: HostCall, job: string, lease: LeaseId, outcome: Outcome): Promise<{ taken: boolean } | Refusal> {
    return this.#asHost(from, () => this.#desks.outcomes.result(from.host, job, lease, outcome), { jobs: [job] });
  }

  async report(from: HostCall, report: Report): Promise<{ taken: boolean } | Refusal> {
    const { host } = from;
    const take = () => {
      if (report.kind === "run") return this.#desks.runs.report(host, report);
      if (report.kind === "verification") return this.#desks.verifications.report(host, report);
      return this.#desks.outcomes.report(host, report);
    };
    return this.#asHost(from, take, namesIn(report));
  }

  async beginUpload(guild: string, from: HostCall, request: BeginUploadRequest): Promise<{ upload: string } | Refusal> {
    return this.#asHost(from, () => this.#desks.archives.begin(guild, from.host, request), { server: request.server });
  }

  async uploadTarget(from: HostCall, upload: string): Promise<UploadTarget | Refusal> {
    // Once for each part, and nothing becomes due of one that succeeds: no look at the alarm.
    const target = this.#cutOff(from) ?? this.#desks.archives.target(from.host, upload);
    if (isRefusal(target)) {
      this.#desks.security.touched(from, { upload });
      await this.#arm();
    }
    return target;
  }

  /** What a host may read back: archives of the servers that are its own now. */
  async readableArchive(from: HostCall, upload: string): Promise<UploadTarget | Refusal> {
    // Once for each range, so without a look at the alarm, as above.
    const target = this.#cutOff(from) ?? this.#desks.archives.readable(from.host, upload);
    if (isRefusal(target)) {
      if (target.refused === "upload-unknown") this.#desks.security.touched(from, { upload });
      await this.#arm();
    }
    return target;
  }

  /** The archives that are kept of a server, a page at a time. */
  async archiveList(from: HostCall, server: string, after: string | null): Promise<ArchiveList | Refusal> {
    return this.#asHost(from, () => this.#desks.archives.list(from.host, server, after), { server });
  }

  async completeUpload(from: HostCall, upload: string, request: CompleteUploadRequest): Promise<{ bytes: number } | Refusal> {
    return this.#asHost(from, () => this.#desks.archives.complete(from.host, upload, request), { upload });
  }

  async abortUpload(from: HostCall, upload: string): Promise<{ aborted: true } | Refusal> {
    return this.#asHost(from, () => {
      // Another host's upload is answered like one that is gone.
      this.#desks.security.touched(from, { upload });
      return this.#desks.archives.abort(from.host, upload);
    });
  }

  // Repositories, for agents and the `restic` program

  /** Whether a request may do this with a repository. Once for each: nothing becomes due of one that may, so no look at the alarm. */
  async admitToRepository(call: RepositoryCall): Promise<Admission | Refusal> {
    const admitted = this.#desks.repositories.admit(call);
    return isRefusal(admitted) ? this.#kept(call, admitted) : admitted;
  }

  /** Writes a file down that R2 holds, when the ticket for it was lost: false when it has been before. */
  async recordFile(call: RepositoryCall, stored: StoredFile): Promise<boolean | Refusal> {
    const admitted = this.#desks.repositories.admit(call);
    return isRefusal(admitted) ? this.#kept(call, admitted) : (admitted.ticket?.record(stored) ?? false);
  }

  /** Writes files down that a listing found in R2 and that have no rows. Answers how many. */
  async adoptFiles(call: RepositoryCall, found: StoredFile[]): Promise<number | Refusal> {
    const adopted = this.#desks.repositories.adopt(call, found);
    return isRefusal(adopted) ? this.#kept(call, adopted) : adopted;
  }

  /** A made-up credential that names the guild by its tag. It was refused before it came here. */
  async noteBadCredential(address: string | null): Promise<void> {
    this.#desks.security.note("bad-credential", addressed(address));
    await this.#arm();
  }

  /** Somebody with a credential sent a name that is made to leave its place. */
  async noteCredentialTrick({ hash, address }: Extract<RepositoryCaller, { kind: "credential" }>, trick: PathTrick): Promise<void> {
    const credential = this.#desks.credentials.admit(hash, address);
    console.warn({
      message: "a credential tried a path",
      credential: isRefusal(credential) ? credential.refused : credential.id,
      ...trick,
    });
    this.#desks.security.note("path-trick", addressed(address));
    await this.#arm();
  }

  // Time

  override async alarm(): Promise<void> {
    this.#alarmAt = null;
    const now = () => this.clock.now();
    this.#desks.outcomes.expire();
    this.#desks.watch.judge();
    await this.#desks.archives.sweep();
    await this.#desks.prunes.sweep();
    await this.#desks.audit.trim();
    const { messages, settings } = this.#desks.tables;
    const render = (message: Parameters<typeof renderSubject>[0]) => renderSubject(message, this.#desks.tables, this.#desks.viewer, now());
    const owner = { guild: this.ctx.id.name ?? settings.guild(), fallback: () => settings.get().noticeChannel ?? settings.home() };
    await deliver({ rest: this.#rest, applicationId: this.env.DISCORD_APPLICATION_ID, messages, render, now, owner });
    await this.#arm();
  }

  /** Sets the alarm for whatever is due next, if that is earlier than what it is set for: each setting is a row written. */
  async #arm(): Promise<void> {
    const { jobs, uploads, messages, prunes } = this.#desks.tables;
    const schedules = this.#desks.watch.nextDue(this.#alarmAt !== null);
    const due = [jobs.nextDue(), uploads.nextDue(), messages.nextDue(), prunes.nextDue(), schedules].filter((at) => at !== null);
    if (due.length === 0) return;
    const at = Math.min(...due);
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    await this.ctx.storage.setAlarm(at);
  }

  #serverOf(job: string): string | null {
    return this.#desks.tables.jobs.byId(job)?.server ?? null;
  }

  /**
   * Does what a member asks for, if it may, and sees to it that what becomes due of it is done. `server` is the one that it concerns.
   * `again`: this very interaction has come before. Acts that have a key of their own need not know.
   */
  async #asMember<T>(ask: Ask, server: string | null, act: (again: boolean) => T | Refusal | Promise<T | Refusal>): Promise<T | Refusal> {
    const again = this.#desks.members.repeated(ask);
    const denied = this.#desks.members.admit(ask, server, again);
    const done = denied ?? (await act(again));
    await this.#arm();
    return done;
  }

  /** Why a host may not act, or null. Its access token may outlive its revocation by minutes, so each call asks. */
  #cutOff({ host, address }: HostCall): Refusal | null {
    const record = this.#desks.tables.hosts.access(host);
    if (isRefusal(record)) return record;
    if (allowsAddress(record.allowlist, address)) return null;
    this.#desks.security.note("address-not-allowed", `host ${host}`);
    return refuse("address-not-allowed", { address: address ?? "an unknown address" });
  }

  /** Lets the security monitor know of a "no" about a repository. */
  async #kept({ caller, server }: RepositoryCall, refusal: Refusal): Promise<Refusal> {
    const { security } = this.#desks;
    if (caller.kind === "host" && refusal.refused === "server-not-yours") security.touched(caller, { server });
    if (refusal.refused === "credential-invalid" || refusal.refused === "credential-revoked")
      security.note("bad-credential", addressed(caller.address));
    await this.#arm();
    return refusal;
  }

  /** Does what an active host asks for, and sees to it that what becomes due of it is done. `named` is what it says is its own. */
  async #asHost<T>(from: HostCall, act: () => T | Refusal | Promise<T | Refusal>, named: Named = {}): Promise<T | Refusal> {
    const cut = this.#cutOff(from);
    const done = cut ?? (await act());
    if (cut === null && isRefusal(done)) this.#desks.security.touched(from, named);
    await this.#arm();
    return done;
  }
}
