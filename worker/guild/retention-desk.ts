import type { Instant, RetentionPolicy } from "../../schemas/index.ts";
import { backupName, MARKS_MAX, TAGS_MAX } from "../../schemas/index.ts";
import { BRAKE_DEFAULT } from "../../schemas/retention-brake.ts";
import { formatter } from "../discord/text.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { Ask } from "./ask.ts";
import type { BackupRecord } from "./backups.ts";
import type { PruneDesk } from "./prune-desk.ts";
import type { RetentionPlan, Shelf } from "./retention-keeper.ts";
import { brakeKey, carryOut, freeze, obeys, planOf, policyIn } from "./retention-keeper.ts";
import type { MarkedView, PolicyView, PreviewView, RetainedView, UndeletedView } from "./retention-view.ts";
import type { Tables } from "./tables.ts";
import type { Viewer } from "./viewer.ts";
import type { Choice } from "./views.ts";

export interface RetentionDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  viewer: Viewer;
  now: () => Instant;
  prunes: Pick<PruneDesk, "revive">;
  /** Tells the held polls of a host that there is something for it. */
  supersede: (host: string) => void;
}

/** What a member sets: rules, or nothing of them to take the policy away. */
export interface WantedPolicy {
  rules: Omit<RetentionPolicy, "zone">;
  zone?: string | undefined;
  /** In percent. */
  brake?: number | undefined;
}

export type BackupMark = { kind: "pin"; note?: string | undefined } | { kind: "unpin" } | { kind: "tag"; tags: string[] };

/** Discord takes at most 25 choices of 100 characters. */
const CHOICES_MAX = 25;
const CHOICE_LENGTH_MAX = 100;
/** Among so many of the newest backups is looked for what a member types. */
const CHOSEN_FROM_MAX = 500;

/** Which backups stay, as members decide it. Whether they may has been decided before. */
export class RetentionDesk {
  readonly #parts: RetentionDeskParts;

  constructor(parts: RetentionDeskParts) {
    this.#parts = parts;
  }

  /** @param server Null for what holds for all */
  show(server: string | null): PolicyView | Refusal {
    const { tables, viewer } = this.#parts;
    if (server !== null && !this.#known(server)) return refuse("server-unknown", { server });
    const set = server === null ? tables.retention.policy(null) : (tables.retention.policyFor(server)?.set ?? null);
    const all =
      set === null ? null : { policy: set.policy, from: "all" as const, removeShare: set.removeShare ?? BRAKE_DEFAULT.removeShare };
    return {
      format: viewer.format(),
      server,
      serverName: server === null ? null : this.#nameOf(server),
      effective: server === null ? all : policyIn(tables, server),
      by: set?.changedBy ?? null,
      at: set?.changedAt ?? null,
      frozen: server === null ? null : (tables.retention.brake(server)?.frozen ?? null),
    };
  }

  /** Sets the policy of a server, or of all; without any rule it is taken away. It holds from the next backup on. */
  set(ask: Ask, server: string | null, wanted: WantedPolicy | null): PolicyView | Refusal {
    const { storage, tables, now } = this.#parts;
    if (server !== null && !this.#known(server)) return refuse("server-unknown", { server });
    const policy = wanted === null ? null : this.#policyOf(wanted);
    if (policy !== null && isRefusal(policy)) return policy;
    storage.transactionSync(() => {
      const before = tables.retention.policy(server);
      const removeShare = wanted?.brake === undefined ? null : wanted.brake / 100;
      tables.retention.setPolicy(server, policy === null ? null : { policy, removeShare }, ask.member.id, now());
      const change = {
        policyOf: server ?? "all",
        from: before?.policy ?? null,
        to: policy,
        ...(removeShare === null ? {} : { removeShare }),
      };
      this.#audit(ask, server, change);
    });
    this.#tellHosts(server);
    return this.show(server);
  }

  /** What the policy, or one that is only asked about, would do now. */
  preview(server: string, asked: WantedPolicy | null): PreviewView | Refusal {
    const { tables, viewer, now } = this.#parts;
    if (!this.#known(server)) return refuse("server-unknown", { server });
    const policy = asked === null ? null : this.#policyOf(asked);
    if (policy !== null && isRefusal(policy)) return policy;
    const current = policyIn(tables, server);
    const used = policy ?? current?.policy ?? { zone: tables.settings.get().timeZone };
    const removeShare = asked?.brake === undefined ? (current?.removeShare ?? BRAKE_DEFAULT.removeShare) : asked.brake / 100;
    const everything = { zone: used.zone };
    const plans = this.#shelves(server).map((shelf) => {
      const holds = policy !== null || current === null || obeys(shelf, current.from);
      return { shelf, plan: planOf(tables, shelf, { policy: holds ? used : everything, removeShare }, now()) };
    });
    const doomed = tables.backups.doomed(server);
    return {
      format: viewer.format(),
      server,
      serverName: this.#nameOf(server),
      policy: used,
      from: policy === null ? (current?.from ?? "asked") : "asked",
      frozen: tables.retention.brake(server)?.frozen ?? null,
      tooMuch: plans.flatMap(({ plan }) => plan.tooMuch),
      kept: plans.flatMap(({ shelf, plan }) => this.#rowsOf(shelf, plan, "kept")),
      gone: plans.flatMap(({ shelf, plan }) => this.#rowsOf(shelf, plan, "gone")),
      waiting: { count: doomed.length, bytes: doomed.reduce((sum, { bytes }) => sum + bytes, 0) },
    };
  }

  /** Lets retention go on after the brake: what the newest backup looks like is taken for usual from now on, and the plan may remove much. */
  resume(ask: Ask, server: string): PolicyView | Refusal {
    const { storage, tables, now } = this.#parts;
    const brake = tables.retention.brake(server);
    if (!this.#known(server) && brake === null) return refuse("server-unknown", { server });
    storage.transactionSync(() => {
      const at = now();
      const newest = tables.backups.newest(server)?.createdAt ?? at;
      tables.retention.resume(server, Math.min(newest, at));
      this.#audit(ask, server, { resumed: brake?.frozen?.reasons ?? [] });
      const told = tables.notices.of(brakeKey(server));
      if (told?.notice.kind === "retention-frozen" && told.notice.overAt === null)
        tables.notices.change(brakeKey(server), { ...told.notice, overAt: at, by: ask.member.id }, at);
      for (const shelf of this.#shelves(server)) carryOut(tables, shelf, at, true);
    });
    this.#tellHosts(server);
    return this.#known(server) ? this.show(server) : this.show(null);
  }

  /** What is said of a backup now. */
  marked(id: string): MarkedView | Refusal {
    return this.#mark(id, () => null, false);
  }

  /** What a server has left to bring back is not asked: the very same request has been answered before. */
  undeleted(server: string): UndeletedView {
    return { server, serverName: this.#nameOf(server), names: [] };
  }

  pin(ask: Ask, id: string, note: string | undefined): MarkedView | Refusal {
    return this.#mark(id, (backup, at) => {
      const { backups } = this.#parts.tables;
      if (backup.pin === null && backups.marked(backup.server).length >= MARKS_MAX)
        return refuse("mark-limit", { limit: String(MARKS_MAX) });
      backups.setPin(id, { by: ask.member.id, at, note: note ?? null });
      this.#audit(ask, backup.server, { pinned: backupName(backup), ...(note === undefined ? {} : { note }) });
      return null;
    });
  }

  unpin(ask: Ask, id: string): MarkedView | Refusal {
    return this.#mark(id, (backup) => {
      if (backup.pin === null) return null;
      this.#parts.tables.backups.setPin(id, null);
      this.#audit(ask, backup.server, { unpinned: backupName(backup) });
      return null;
    });
  }

  /** Gives a backup other tags than it had; none takes them away. */
  tag(ask: Ask, id: string, tags: readonly string[]): MarkedView | Refusal {
    return this.#mark(id, (backup) => {
      const { backups } = this.#parts.tables;
      if (tags.length > TAGS_MAX) return refuse("option-invalid", { option: "tags", reason: `give at most ${TAGS_MAX}` });
      const fresh = backup.pin === null && backup.tags.length === 0;
      if (fresh && backups.marked(backup.server).length >= MARKS_MAX) return refuse("mark-limit", { limit: String(MARKS_MAX) });
      backups.setTags(id, tags);
      this.#audit(ask, backup.server, { tagged: backupName(backup), from: backup.tags, to: tags });
      return null;
    });
  }

  /** Brings back what retention took out of the lists, as long as R2 holds it: one backup, or all of a server. Each comes back pinned. */
  undelete(ask: Ask, server: string, id: string | undefined): UndeletedView | Refusal {
    const { storage, tables, now } = this.#parts;
    const doomed = tables.backups.doomed(server).filter((backup) => id === undefined || backup.id === id);
    // A repository comes back by whole prunes: its snapshots share what they hold.
    const [prune] = tables.prunes
      .of(server)
      .filter(({ state, names }) => state === "waiting" && (id === undefined || this.#names(names, id)));
    if (doomed.length === 0 && prune === undefined) return refuse(id === undefined ? "nothing-to-undelete" : "backup-gone", { server });
    const back = storage.transactionSync(() => {
      const snapshots = prune === undefined ? [] : (this.#parts.prunes.revive(prune) ?? []);
      const shown = snapshots
        .flatMap((snapshot) => tables.backups.idsOfSnapshot(server, snapshot))
        .flatMap((one) => tables.backups.byId(one) ?? []);
      const archives = doomed.filter(
        (backup) => backup.format === "zip" && backup.upload !== undefined && tables.uploads.revive(backup.upload),
      );
      const revived = [...archives, ...shown];
      for (const backup of revived) {
        tables.backups.markBack(backup.id);
        if (backup.pin === null) tables.backups.setPin(backup.id, { by: ask.member.id, at: now(), note: "brought back" });
      }
      this.#audit(ask, server, { undeleted: revived.map(backupName) });
      return revived;
    });
    return { server, serverName: this.#nameOf(server), names: back.map(backupName) };
  }

  /** What waits for its removal stays when the host that made it is cut off: it may be why it was to go. */
  hostRevoked(host: string): void {
    const { storage, tables, now } = this.#parts;
    const own = [...tables.backups.doomed(null), ...tables.prunes.all()].filter((one) => one.host === host);
    const waiting = Map.groupBy(own, ({ server }) => server);
    storage.transactionSync(() => {
      for (const [server, all] of waiting) freeze(tables, server, [{ what: "host", way: "revoked", now: all.length, usual: 0 }], now());
    });
  }

  /** Of the servers on which the member may use the command. `which`: those in the lists, those that are pinned, or those that can come back. */
  choices(typed: string, which: "listed" | "pinned" | "doomed", may: (server: string) => boolean): Choice[] {
    const { backups } = this.#parts.tables;
    const all =
      which === "doomed" ? [...backups.doomed(null), ...this.#hiddenBackups()] : backups.newestOfAll(CHOSEN_FROM_MAX, which === "pinned");
    const wanted = typed.trim().toLowerCase();
    const named = all.filter(({ server }) => may(server)).map((backup) => ({ name: this.#choiceOf(backup), value: backup.id }));
    return named.filter(({ name }) => name.toLowerCase().includes(wanted)).slice(0, CHOICES_MAX);
  }

  /** Backups whose snapshots are hidden by prunes that can be brought back. */
  #hiddenBackups(): BackupRecord[] {
    const { backups, prunes } = this.#parts.tables;
    const waiting = prunes.all().filter(({ state }) => state === "waiting");
    const ids = waiting.flatMap(({ server, names }) => names.snapshots.flatMap((snapshot) => backups.idsOfSnapshot(server, snapshot)));
    return ids.slice(0, CHOSEN_FROM_MAX).flatMap((id) => backups.byId(id) ?? []);
  }

  #names({ snapshots }: { snapshots: string[] }, id: string): boolean {
    const backup = this.#parts.tables.backups.byId(id);
    return backup?.format === "repository" && snapshots.includes(backup.snapshot);
  }

  #choiceOf(backup: BackupRecord): string {
    const { bytes, clock } = this.#words();
    const marks = [backup.pin === null ? "" : " 📌", ...backup.tags.map((tag) => ` #${tag}`)].join("");
    const note = backup.note === undefined ? "" : `, ${backup.note}`;
    return `${clock(backup.createdAt)} ${backup.server}, ${bytes(backup.bytes)}${marks}${note}`.slice(0, CHOICE_LENGTH_MAX);
  }

  #words() {
    const format = this.#parts.viewer.format();
    const shown = new Intl.DateTimeFormat(format.locale, { dateStyle: "short", timeStyle: "short", timeZone: format.timeZone });
    return { ...formatter(format), clock: (at: Instant) => shown.format(at) };
  }

  #mark(id: string, act: (backup: BackupRecord, at: Instant) => Refusal | null, tell = true): MarkedView | Refusal {
    const { storage, tables, now } = this.#parts;
    const backup = tables.backups.byId(id);
    if (backup === null) return refuse("backup-unknown");
    if (backup.removedAt !== null) return refuse("backup-removed");
    const no = storage.transactionSync(() => act(backup, now()));
    if (no !== null) return no;
    if (tell && backup.store !== "r2") this.#parts.supersede(backup.host);
    const { server, createdAt, pin, tags } = tables.backups.byId(id) ?? backup;
    return {
      server,
      serverName: this.#nameOf(server),
      name: backupName(backup),
      at: createdAt,
      pinned: pin !== null,
      tags,
      note: pin?.note ?? null,
    };
  }

  #policyOf({ rules, zone }: WantedPolicy): RetentionPolicy | Refusal {
    const given = Object.values(rules).some((rule) => rule !== undefined);
    if (!given) return refuse("retention-empty");
    return { ...rules, zone: zone ?? this.#parts.tables.settings.get().timeZone };
  }

  /** What there is of a server, by its host, format and store. */
  #shelves(server: string): Shelf[] {
    return this.#parts.tables.backups.shelves(server).map((shelf) => ({ server, ...shelf }));
  }

  #rowsOf({ store, ...shelf }: Shelf, { rows, decision }: RetentionPlan, which: "kept" | "gone"): RetainedView[] {
    const byId = new Map(rows.map((row) => [row.id, row]));
    const wanted = which === "kept" ? decision.kept : decision.gone.map((id) => ({ id, reasons: [] })).reverse();
    return wanted.flatMap(({ id, reasons }) => {
      const row = byId.get(id);
      const record = this.#parts.tables.backups.byId(id);
      if (row === undefined || record === null) return [];
      return [{ name: `${shelf.format === "zip" ? "" : "snapshot "}${backupName(record)}`, at: row.at, bytes: row.bytes, store, reasons }];
    });
  }

  /** Also one that is gone from its host's config, as long as there are backups of it. */
  #known(server: string): boolean {
    const { servers, backups } = this.#parts.tables;
    return servers.byId(server) !== null || backups.newest(server) !== null;
  }

  #nameOf(server: string): string {
    return this.#parts.tables.servers.byId(server)?.name ?? server;
  }

  /** Hosts that remove backups themselves hear of it with their next poll, which begins anew now. */
  #tellHosts(server: string | null): void {
    const { servers } = this.#parts.tables;
    const concerned = (server === null ? servers.all() : [servers.byId(server)]).filter((one) => one !== null && one.store !== "r2");
    for (const host of new Set(concerned.map((one) => one?.host ?? ""))) if (host !== "") this.#parts.supersede(host);
  }

  #audit(ask: Ask, server: string | null, change: Record<string, unknown>): void {
    const who = { actor: `member ${ask.member.id}` as const, allowedBy: null, command: ask.command.name };
    this.#parts.tables.audit.write({ kind: "retention", ...who, ...(server === null ? {} : { server }), change }, this.#parts.now());
  }
}
