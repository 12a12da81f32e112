import type { Instant, Problem } from "../../schemas/index.ts";
import type { IncidentFacts, IncidentKind } from "./incident-rules.ts";
import type { Messages, Subject } from "./messages.ts";
import type { MissedNotice } from "./missed-rules.ts";
import type { FrozenReason } from "./retention-table.ts";
import type { FailedRunNotice } from "./run-rules.ts";
import type { SettingsTable } from "./settings.ts";
import type { FailedCheckNotice, UnprovenNotice } from "./verification-rules.ts";

/** What the guild tells by itself, without anybody having asked. `discord/render-notice.ts` has the words. `overAt`: since when it is over. */
export type Notice =
  /** A changed config that a host does not take. `gone`: it is over because the host has no access any more. */
  | { kind: "config-problem"; host: string; problem: Problem; at: Instant; overAt: Instant | null; gone?: true }
  /** A host's clock is `offMs` ahead of ours; negative when it is behind. */
  | { kind: "clock-skew"; host: string; offMs: number; at: Instant; overAt: Instant | null; gone?: true }
  | MissedNotice
  | FailedRunNotice
  /** Retention of a server has stopped. `by`: the member who let it go on. */
  | { kind: "retention-frozen"; server: string; reasons: FrozenReason[]; at: Instant; overAt: Instant | null; by: string | null }
  | FailedCheckNotice
  | UnprovenNotice
  /** Goes to the guild's owner, see security-desk.ts. */
  | ({ kind: "security"; incident: IncidentKind } & IncidentFacts)
  /** The last one of its kind for a while. */
  | { kind: "held-back"; of: PostKind; until: Instant };
export type NoticeKind = Notice["kind"];
type PostKind = NoticeKind | "backup-done";

export interface NoticeRecord {
  notice: Notice;
  toldAt: Instant;
}

/** Within this time, in milliseconds, */
const DAY_MS = 24 * 60 * 60_000;
/** so many notices of one kind are posted in a guild: what comes beyond is in the Worker's log. */
export const NOTICES_PER_DAY_MAX = 20;
/** And so many results of scheduled backups, for which a guild has asked: one every five minutes. */
export const RESULTS_PER_DAY_MAX = 288;
/** What a notice was about is forgotten after this time, in milliseconds. */
const KEEP_MS = 90 * DAY_MS;
/** And there are at most so many; the oldest go first. */
const KEEP_MAX = 1000;

/**
 * Notices by key, each with its message in Discord, which can be edited later. They go to the channel that `/config set` names, else to the
 * one in which `/agent register` was used last.
 */
export class Notices {
  readonly #sql: SqlStorage;
  readonly #messages: Messages;
  readonly #settings: SettingsTable;

  constructor(sql: SqlStorage, messages: Messages, settings: SettingsTable) {
    this.#sql = sql;
    this.#messages = messages;
    this.#settings = settings;
  }

  /** What was told last under a key. */
  of(key: string): NoticeRecord | null {
    const row = this.#sql.exec("SELECT notice_json, told_at FROM notices WHERE key = ?", key).toArray()[0];
    return row === undefined ? null : { notice: JSON.parse(String(row.notice_json)) as Notice, toldAt: Number(row.told_at) };
  }

  /** Those of a kind that are not over. */
  open<K extends NoticeKind>(kind: K): { key: string; notice: Extract<Notice, { kind: K }> }[] {
    return this.#sql
      .exec("SELECT key, notice_json FROM notices WHERE kind = ?", kind)
      .toArray()
      .map((row) => ({ key: String(row.key), notice: JSON.parse(String(row.notice_json)) as Extract<Notice, { kind: K }> }))
      .filter(({ notice }) => !isOver(notice));
  }

  /**
   * Tells something in a new message; an older one under the same key stays as it is. Call it in the transaction of what it tells. False
   * when nothing is posted: no channel is known, or there were too many of the kind today. It counts as told all the same.
   */
  tell(key: string, notice: Notice, now: Instant): boolean {
    const message = this.#post(notice, now);
    this.#sql.exec(
      `INSERT INTO notices (key, kind, notice_json, message_id, told_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, notice_json = excluded.notice_json, message_id = excluded.message_id, told_at = excluded.told_at`,
      ...[key, notice.kind, JSON.stringify(notice), message, now],
    );
    this.#forgetOld(now);
    return message !== null;
  }

  /** Edits the message that was posted under a key. One that never went out, or is gone, is posted now unless it is over. False when the key is not known. */
  change(key: string, notice: Notice, now: Instant): boolean {
    const row = this.#sql.exec("SELECT message_id FROM notices WHERE key = ?", key).toArray()[0];
    if (row === undefined) return false;
    const edited = row.message_id !== null && this.#edit(Number(row.message_id), notice, now);
    const message = edited ? Number(row.message_id) : isOver(notice) ? null : this.#post(notice, now);
    this.#sql.exec("UPDATE notices SET notice_json = ?, message_id = ? WHERE key = ?", JSON.stringify(notice), message, key);
    return true;
  }

  /** Posts the result of a scheduled backup, if the guild wants that. False when it does not, or there were too many today. */
  postResult(subject: Subject, now: Instant): boolean {
    const channel = this.#settings.get().backupChannel;
    return channel !== null && this.#postIn(channel, "backup-done", RESULTS_PER_DAY_MAX, subject, now) !== null;
  }

  #edit(id: number, notice: Notice, now: Instant): boolean {
    this.#messages.setSubject(id, { kind: "notice", notice });
    this.#messages.touch(id, now);
    // Nothing is due for a message that Discord has refused for good.
    return (this.#messages.byId(id)?.nextAt ?? null) !== null;
  }

  #post(notice: Notice, now: Instant): number | null {
    const channel = this.#settings.get().noticeChannel ?? this.#settings.home();
    return channel === null ? null : this.#postIn(channel, notice.kind, NOTICES_PER_DAY_MAX, { kind: "notice", notice }, now);
  }

  #postIn(channel: string, kind: PostKind, max: number, subject: Subject, now: Instant): number | null {
    const { told, since } = this.#count(kind, max, now);
    if (told < max) return this.#messages.post(subject, channel, now);
    console.warn({ message: "a notice was not posted, since there were too many of its kind today", kind, subject });
    const last: Notice = { kind: "held-back", of: kind, until: since + DAY_MS };
    if (told === max) this.#messages.post({ kind: "notice", notice: last }, channel, now);
    return null;
  }

  /** Counts one more of a kind; answers how many there were before it, and since when. Beyond the one that says so nothing is written. */
  #count(kind: PostKind, max: number, now: Instant): { told: number; since: Instant } {
    const row = this.#sql.exec("SELECT told, since FROM notice_counts WHERE kind = ?", kind).toArray()[0];
    const since = Number(row?.since ?? 0);
    const current = row !== undefined && since <= now && now < since + DAY_MS;
    const before = current ? { told: Number(row.told), since } : { told: 0, since: now };
    if (before.told > max) return before;
    this.#sql.exec(
      "INSERT INTO notice_counts (kind, told, since) VALUES (?1, ?2, ?3) ON CONFLICT (kind) DO UPDATE SET told = ?2, since = ?3",
      ...[kind, before.told + 1, before.since],
    );
    return before;
  }

  #forgetOld(now: Instant): void {
    this.#sql.exec("DELETE FROM notices WHERE told_at < ?", now - KEEP_MS);
    const count = Number(this.#sql.exec("SELECT COUNT(*) AS n FROM notices").one().n);
    if (count <= KEEP_MAX) return;
    this.#sql.exec("DELETE FROM notices WHERE key IN (SELECT key FROM notices ORDER BY told_at LIMIT ?)", count - KEEP_MAX);
  }
}

/** Whether what a notice tells of is over. */
export function isOver(notice: Notice): boolean {
  return "overAt" in notice && notice.overAt !== null;
}
