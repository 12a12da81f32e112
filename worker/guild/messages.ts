import type { Instant } from "../../schemas/index.ts";
import type { AfterSend, MessageFacts } from "./message-rules.ts";
import { TOKEN_USE_MS, whenToSend } from "./message-rules.ts";
import type { Notice } from "./notices.ts";

/** What a message shows. It is rendered from the database whenever it is sent, so that the newest state wins. */
export type Subject =
  | { kind: "backup"; job: string }
  | { kind: "status"; servers: string[]; jobs: string[] }
  | { kind: "notice"; notice: Notice }
  /** A schedule is paused or resumed. */
  | { kind: "schedule"; job: string }
  /** The result of a scheduled run. */
  | { kind: "run"; run: number }
  /** From its preview to its result. */
  | { kind: "restore"; restore: string };

export interface MessageRecord extends MessageFacts {
  id: number;
  subject: Subject;
  channel: string;
}

/** The interaction whose answer a message is. */
export interface MessageOrigin {
  token: string;
  channel: string;
}

/** Messages are forgotten after this time, in milliseconds. */
const KEEP_MS = 30 * 24 * 60 * 60_000;
/** And there are at most so many; the oldest go first. */
const KEEP_MAX = 1000;
/** Those that have something to show yet are kept longer, but never more than so many. */
const KEEP_UNSHOWN_MAX = 10_000;
/** It shows all that it will ever show: nothing waits to be sent, and its jobs have ended. */
const SHOWN = `(next_at IS NULL OR given_up IS NOT NULL)
  AND id NOT IN (SELECT message_id FROM jobs WHERE ended_at IS NULL AND message_id IS NOT NULL)`;

/** The outbox: messages in Discord and how far each is behind. */
export class Messages {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** A message whose first version the interaction's answer brings. */
  add(subject: Subject, origin: MessageOrigin, now: Instant): number {
    this.#forgetOld(now);
    return Number(
      this.#sql
        .exec(
          "INSERT INTO messages (kind, subject_json, channel_id, token, token_until, sent_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
          ...[subject.kind, JSON.stringify(subject), origin.channel, origin.token, now + TOKEN_USE_MS, now, now],
        )
        .one().id,
    );
  }

  /** A message that answers nobody: the bot posts it. */
  post(subject: Subject, channel: string, now: Instant): number {
    this.#forgetOld(now);
    return Number(
      this.#sql
        .exec(
          "INSERT INTO messages (kind, subject_json, channel_id, version, next_at, sent_at, created_at) VALUES (?, ?, ?, 1, ?, ?, ?) RETURNING id",
          ...[subject.kind, JSON.stringify(subject), channel, now, now, now],
        )
        .one().id,
    );
  }

  /** A later interaction brings a message up to date for longer, as long as it is still the answer of an interaction. */
  renewToken(id: number, token: string, now: Instant): void {
    // One that was given up, since the bot may not write in its channel, can be edited by the fresh token too.
    this.#sql.exec(
      "UPDATE messages SET token = ?, token_until = ?, attempts = 0, given_up = NULL WHERE id = ? AND message_id IS NULL",
      ...[token, now + TOKEN_USE_MS, id],
    );
  }

  setSubject(id: number, subject: Subject): void {
    this.#sql.exec("UPDATE messages SET subject_json = ? WHERE id = ?", JSON.stringify(subject), id);
  }

  setChannel(id: number, channel: string): void {
    this.#sql.exec("UPDATE messages SET channel_id = ? WHERE id = ?", channel, id);
  }

  byId(id: number): MessageRecord | null {
    return this.#select("WHERE id = ?", id)[0] ?? null;
  }

  /** Says that what the message shows has changed. */
  touch(id: number, now: Instant): void {
    const message = this.byId(id);
    if (message === null) return;
    // `next_at` keeps the earlier of what was planned and what is due, so that many changes are one edit.
    const at = whenToSend(message, now);
    const next = message.nextAt === null || message.attempts > 0 ? at : Math.min(message.nextAt, at);
    this.#sql.exec("UPDATE messages SET version = version + 1, next_at = ? WHERE id = ? AND given_up IS NULL", next, id);
  }

  due(now: Instant, limit: number): MessageRecord[] {
    return this.#select("WHERE next_at <= ? AND given_up IS NULL ORDER BY next_at LIMIT ?", now, limit);
  }

  apply(id: number, after: AfterSend): void {
    const set: [string, unknown][] = [
      ["attempts", after.attempts],
      ["next_at", after.nextAt],
    ];
    if (after.sent !== undefined) set.push(["sent", after.sent]);
    if (after.sentAt !== undefined) set.push(["sent_at", after.sentAt]);
    if (after.messageId !== undefined) set.push(["message_id", after.messageId]);
    if (after.token === null) set.push(["token", null]);
    if (after.givenUp !== undefined) set.push(["given_up", after.givenUp]);
    this.#sql.exec(
      `UPDATE messages SET ${set.map(([name]) => `${name} = ?`).join(", ")} WHERE id = ?`,
      ...set.map(([, value]) => value),
      id,
    );
  }

  /** Nothing goes out before `until`: Discord's global limit. */
  delayAll(until: Instant): void {
    this.#sql.exec("UPDATE messages SET next_at = ? WHERE next_at < ?", until, until);
  }

  nextDue(): Instant | null {
    const row = this.#sql.exec("SELECT MIN(next_at) AS at FROM messages WHERE given_up IS NULL").one();
    return row.at === null ? null : Number(row.at);
  }

  #forgetOld(now: Instant): void {
    this.#sql.exec(`DELETE FROM messages WHERE created_at < ? AND ${SHOWN}`, now - KEEP_MS);
    this.#sql.exec(`DELETE FROM messages WHERE id <= (SELECT MAX(id) FROM messages) - ? AND ${SHOWN}`, KEEP_MAX);
    this.#sql.exec("DELETE FROM messages WHERE id <= (SELECT MAX(id) FROM messages) - ?", KEEP_UNSHOWN_MAX);
  }

  #select(where: string, ...bindings: unknown[]): MessageRecord[] {
    const number = (value: SqlStorageValue | undefined) => (typeof value === "number" ? value : null);
    const text = (value: SqlStorageValue | undefined) => (typeof value === "string" ? value : null);
    return this.#sql
      .exec(`SELECT * FROM messages ${where}`, ...bindings)
      .toArray()
      .map((row) => ({
        id: Number(row.id),
        subject: JSON.parse(String(row.subject_json)) as Subject,
        channel: String(row.channel_id),
        token: text(row.token),
        tokenUntil: number(row.token_until),
        messageId: text(row.message_id),
        version: Number(row.version),
        sent: Number(row.sent),
        sentAt: Number(row.sent_at),
        attempts: Number(row.attempts),
        nextAt: number(row.next_at),
        createdAt: Number(row.created_at),
      }));
  }
}
