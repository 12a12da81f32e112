import type { AnnouncedServer, Instant, Job, RestorePayload, RestoreResult } from "../../schemas/index.ts";
import { backupName, restorePlanPayload } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { Ask } from "./ask.ts";
import { refOf } from "./backups.ts";
import type { JobRecord } from "./job-record.ts";
import type { Presence } from "./presence.ts";
import type { RequestDesk } from "./request-desk.ts";
import type { WantedBackup } from "./restore-choice.ts";
import { backupChoices, chooseBackup, eventChoices, shownOf } from "./restore-choice.ts";
import { globsIn } from "./restore-paths.ts";
import { stopObjection, undoObjection, verdictOn } from "./restore-rules.ts";
import type { RestoreView } from "./restore-view.ts";
import { restoreView, stageIn } from "./restore-view.ts";
import type { Chosen, ChosenBackup, RestoreRecord } from "./restores.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";
import type { Viewer } from "./viewer.ts";
import type { Choice } from "./views.ts";

export interface RestoreDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  presence: Presence;
  viewer: Viewer;
  requests: RequestDesk;
  now: () => Instant;
  /** Tells the held polls of a host that there is something for it. */
  wake: (host: string) => void;
  /** Wakes whoever may get a job now that these have ended. */
  wakeAfter: (jobs: JobRecord[]) => void;
}

/** Restores of a server that are looked through for one that came after a preview: more than fit into the time that it has. */
const RECENT_MAX = 20;

/** What a member wants to be restored, and where to. As they typed it. */
export interface WantedRestore extends WantedBackup {
  /** Globs, separated by commas. */
  paths?: string | undefined;
  player?: string | undefined;
  to?: string | undefined;
}

/**
 * Restores that members ask for: the question, the decision, the job, and the way back. Whether they may has been decided before. Whatever
 * comes twice, from one member or from two at a time, acts once: each step is a conditional update.
 */
export class RestoreDesk {
  readonly #parts: RestoreDeskParts;

  constructor(parts: RestoreDeskParts) {
    this.#parts = parts;
  }

  /** Asks the host what a restore would do. The same interaction again answers the restore that it made. */
  plan(ask: Ask, server: string, wanted: WantedRestore): RestoreView | Refusal {
    const { storage, tables, requests, wake } = this.#parts;
    const now = this.#parts.now();
    const existing = tables.restores.byKey(ask.key);
    if (existing !== null) return this.#view(existing, now);
    const record = tables.servers.byId(server);
    if (record === null) return refuse("server-unknown", { server });
    const objection = notOffered(record, wanted.to !== undefined) ?? this.#hostObjection(record.host, record, now);
    if (objection !== null) return objection;
    const choosing = chooseBackup(tables, record, wanted, now);
    if (isRefusal(choosing)) return choosing;
    const payload = payloadOf(server, choosing.backup, wanted);
    if (isRefusal(payload)) return payload;
    const full = requests.noRoom(record.host);
    if (full !== null) return full;
    const { chosen, shown } = choosing;
    const restore = storage.transactionSync(() => {
      const id = this.#add(ask, { server, host: record.host, payload, chosen, backup: shown, readyAt: null, undoOf: null }, now);
      const base = { key: `restore-plan/${id}`, kind: "restore-plan" as const, host: record.host, server, payload };
      const job = tables.jobs.add({ ...base, requestedBy: ask.member.id, message: this.#messageOf(id), trace: ask.trace }, now);
      tables.restores.setPlanJob(id, job.id);
      this.#note(ask, id, "asked", now, job.id);
      return this.#must(id);
    });
    wake(record.host);
    return this.#view(restore, now);
  }

  /** "Restore" under a preview. */
  confirm(ask: Ask, id: string): RestoreView | Refusal {
    const { storage, tables, requests, wake } = this.#parts;
    const now = this.#parts.now();
    const restore = tables.restores.byId(id);
    if (restore === null) return refuse("restore-unknown");
    const { restoreApproval: approval } = tables.settings.get();
    const who = { member: ask.member.id, askedBy: restore.askedBy, approval };
    const verdict = verdictOn("confirm", stageIn(tables, restore, now), who);
    if (verdict === "second-person") return refuse("restore-second-person", { asker: restore.askedBy });
    if (verdict !== "confirm") return this.#view(restore, now);
    const objection = this.#confirmObjection(restore, now) ?? requests.noRoom(restore.host);
    if (objection !== null) return objection;
    storage.transactionSync(() => {
      if (!tables.restores.confirm(id, ask.member.id, now)) return;
      const note = `Before the restore of ${restore.backup.name}`;
      const payload: RestorePayload = { ...restore.payload, note };
      const base = { key: `restore/${id}`, kind: "restore" as const, host: restore.host, server: restore.server, payload };
      const job = tables.jobs.add({ ...base, requestedBy: ask.member.id, message: restore.message, trace: ask.trace }, now);
      tables.restores.setJob(id, job.id);
      this.#refresh(restore, ask, now);
      this.#note(ask, id, "confirmed", now, job.id);
    });
    wake(restore.host);
    return this.#view(this.#must(id), now);
  }

  /** "Cancel": the comparison, the preview, or the restore itself as long as it can still be stopped. */
  cancel(ask: Ask, id: string): RestoreView | Refusal {
    const { storage, tables, wake, wakeAfter } = this.#parts;
    const now = this.#parts.now();
    const restore = tables.restores.byId(id);
    if (restore === null) return refuse("restore-unknown");
    const who = { member: ask.member.id, askedBy: restore.askedBy, approval: tables.settings.get().restoreApproval };
    const verdict = verdictOn("cancel", stageIn(tables, restore, now), who);
    if (verdict === "decline") {
      storage.transactionSync(() => {
        if (!tables.restores.decline(id, ask.member.id, now)) return;
        this.#refresh(restore, ask, now);
        this.#note(ask, id, "declined", now);
      });
    }
    const job = verdict === "stop" ? tables.jobs.byId(restore.job ?? restore.planJob ?? "") : null;
    if (job !== null) {
      const objection = stopObjection(job);
      if (objection !== null) return refuse(objection);
      const done = storage.transactionSync(() => tables.jobs.cancel(job.id, ask.member.id, now));
      if (done === "asked") wake(restore.host);
      else if (done === "cancelled") wakeAfter([job]);
    }
    return this.#view(this.#must(id), now);
  }

  /** "Undo" under a restore that succeeded: asks whether what was there before it shall come back. */
  undo(ask: Ask, id: string): RestoreView | Refusal {
    const { storage, tables } = this.#parts;
    const { restores, jobs, servers, backups } = tables;
    const now = this.#parts.now();
    const existing = restores.byKey(ask.key);
    if (existing !== null) return this.#view(existing, now);
    const restore = restores.byId(id);
    if (restore === null) return refuse("restore-unknown");
    const job = restore.job === null ? null : jobs.byId(restore.job);
    if (restore.job !== null && job === null) return refuse("restore-unknown");
    const stage = stageIn(tables, restore, now);
    const result = stage === "restored" ? (job?.result as RestoreResult | null) : null;
    const safety = result?.safety;
    const endedAt = job?.endedAt ?? null;
    const undos = restores.undosOf(id).map((undo) => stageIn(tables, undo, now));
    const objection = undoObjection({ stage, endedAt, hasSafety: safety !== undefined }, undos, now);
    const row = safety === undefined ? null : backups.byRef(restore.server, safety);
    const name = safety === undefined ? "" : nameOfRef(safety);
    if (objection !== null) return refuse(objection, { server: restore.server, backup: name });
    const server = servers.byId(restore.server);
    if (server === null) return refuse("server-unknown", { server: restore.server });
    const refusal = notOffered(server, false) ?? this.#hostObjection(server.host, server, now);
    if (refusal !== null) return refusal;
    if (safety === undefined || endedAt === null || result === null) return refuse("restore-undo-none");
    if (row !== null && backups.isKept(row.id) !== true) return refuse("restore-backup-gone", { server: server.id });
    const { paths, player } = restore.payload;
    // Only what the restore touched comes back: the rest of the world has gone on.
    const limits = { ...(paths === undefined ? {} : { paths }), ...(player === undefined ? {} : { player }) };
    const payload = { server: server.id, backup: safety, ...limits };
    const chosen: Chosen = { by: "undo", of: id, at: endedAt };
    const shown: ChosenBackup =
      row === null
        ? {
            id: null,
            name,
            format: safety.format,
            madeAt: result.startedAt,
            note: null,
            consistency: null,
            sourceBytes: null,
            safety: true,
          }
        : shownOf(row);
    const added = storage.transactionSync(() => {
      const undo = this.#add(ask, { server: server.id, host: server.host, payload, chosen, backup: shown, readyAt: now, undoOf: id }, now);
      this.#note(ask, undo, "undo-asked", now);
      if (restore.message !== null) tables.messages.touch(restore.message, now);
      return this.#must(undo);
    });
    return this.#view(added, now);
  }

  backupChoices(server: string, typed: string): Choice[] {
    const { tables, viewer } = this.#parts;
    const record = tables.servers.byId(server);
    return record === null ? [] : backupChoices(tables, record, typed, viewer.format());
  }

  eventChoices(server: string, typed: string): Choice[] {
    const { tables, viewer, now } = this.#parts;
    const record = tables.servers.byId(server);
    return record === null ? [] : eventChoices(tables, record, typed, viewer.format(), now());
  }

  /** The server that a restore is about; null when it is not known. */
  serverOf(id: string): string | null {
    return this.#parts.tables.restores.byId(id)?.server ?? null;
  }

  #add(
    ask: Ask,
    restore: Pick<RestoreRecord, "server" | "host" | "payload" | "chosen" | "backup" | "readyAt" | "undoOf">,
    now: Instant,
  ): string {
    const { restores, messages } = this.#parts.tables;
    const id = restores.add({ ...restore, key: ask.key, askedBy: ask.member.id }, now);
    restores.setMessage(id, messages.add({ kind: "restore", restore: id }, ask, now));
    return id;
  }

  /** What has changed since the preview, so that it must not be gone by. */
  #confirmObjection(restore: RestoreRecord, now: Instant): Refusal | null {
    const { servers, restores } = this.#parts.tables;
    const server = servers.byId(restore.server);
    if (server === null) return refuse("server-unknown", { server: restore.server });
    if (server.host !== restore.host) return refuse("restore-server-moved", { server: server.name });
    const objection = notOffered(server, restore.payload.to !== undefined) ?? this.#hostObjection(server.host, server, now);
    if (objection !== null) return objection;
    const since = restores.confirmedOf(server.id, RECENT_MAX).filter(({ id, payload, confirmedAt }) => {
      const elsewhere = payload.to !== undefined || id === restore.undoOf;
      return !elsewhere && (confirmedAt ?? 0) >= (restore.readyAt ?? 0);
    });
    return since.some((other) => stageIn(this.#parts.tables, other, now) === "restored")
      ? refuse("restore-since", { server: server.name })
      : null;
  }

  /** Why a host cannot restore now, or null: it has to be there, and works on a server once at a time. */
  #hostObjection(host: string, server: ServerRecord, now: Instant): Refusal | null {
    const { tables, presence } = this.#parts;
    if (tables.restores.activeOn(server.id) !== null) return refuse("restore-active", { server: server.name });
    const record = tables.hosts.byId(host);
    const sight = record === null ? null : presence.of(record, now);
    if (record !== null && sight?.online === true) return null;
    const seen = sight?.seenAt ?? record?.createdAt ?? now;
    return refuse("restore-host-offline", { host: record?.name ?? host, seen: String(Math.floor(seen / 1000)) });
  }

  /** Brings the message up to date, and lets the answer to this press carry it on. */
  #refresh({ message, undoOf }: RestoreRecord, ask: Ask, now: Instant): void {
    const { messages, restores } = this.#parts.tables;
    if (message !== null) {
      messages.renewToken(message, ask.token, now);
      messages.touch(message, now);
    }
    const origin = undoOf === null ? null : (restores.byId(undoOf)?.message ?? null);
    if (origin !== null) messages.touch(origin, now);
  }

  #note(ask: Ask, id: string, step: string, now: Instant, job?: string): void {
    const { audit } = this.#parts.tables;
    const { server, backup, payload, askedBy, undoOf } = this.#must(id);
    const { paths, player, to } = payload;
    const limits = {
      ...(paths === undefined ? {} : { paths }),
      ...(player === undefined ? {} : { player }),
      ...(to === undefined ? {} : { to }),
    };
    const asker = askedBy === ask.member.id ? {} : { askedBy: `member ${askedBy}` };
    const change = {
      restore: id,
      step,
      backup: backup.name,
      madeAt: backup.madeAt,
      ...limits,
      ...asker,
      ...(undoOf === null ? {} : { undoOf }),
    };
    const who = { actor: `member ${ask.member.id}`, allowedBy: null, command: ask.command.name };
    audit.write({ kind: "restore", ...who, server, ...(job === undefined ? {} : { job }), change }, now);
  }

  #messageOf(id: string): number | null {
    return this.#must(id).message;
  }

  #must(id: string): RestoreRecord {
    const restore = this.#parts.tables.restores.byId(id);
    if (restore === null) throw new Error(`restore ${id} is gone`);
    return restore;
  }

  #view(restore: RestoreRecord, now: Instant): RestoreView | Refusal {
    const { tables, presence, viewer } = this.#parts;
    return restoreView(restore, tables, presence, viewer.format(), now) ?? refuse("restore-unknown");
  }
}

/** Why a host does not offer to restore a server, or null. `elsewhere`: into a new folder. */
function notOffered({ name, restore }: AnnouncedServer, elsewhere: boolean): Refusal | null {
  if (restore === undefined) return refuse("restore-not-offered", { server: name });
  if (elsewhere) return restore.folder ? null : refuse("restore-no-folder", { server: name });
  return restore.inPlace ? null : refuse("restore-not-in-place", { server: name });
}

type Payload = Extract<Job, { kind: "restore-plan" }>["payload"];

/** What the host is asked. What a member typed is checked by the schema of the job. */
function payloadOf(server: string, backup: Parameters<typeof refOf>[0], { paths, player, to }: WantedRestore): Payload | Refusal {
  if (paths !== undefined && player !== undefined) return refuse("restore-paths-or-player");
  const parsed = restorePlanPayload.safeParse({
    server,
    backup: refOf(backup),
    ...(paths === undefined ? {} : { paths: globsIn(paths) }),
    ...(player === undefined ? {} : { player }),
    ...(to === undefined ? {} : { to }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const option = String(issue?.path[0] ?? "paths");
  return refuse("option-invalid", { option, reason: option === "player" ? PLAYER_WORDS : (issue?.message ?? "it does not fit") });
}

const PLAYER_WORDS = "write a Steam id, a UUID or a name as it stands in the file's name: 1 to 64 of A-Z, a-z, 0-9, _, . and -";

function nameOfRef(ref: NonNullable<RestoreResult["safety"]>): string {
  return ref.format === "zip" ? backupName(ref) : backupName(ref);
}
