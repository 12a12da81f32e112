import type { PollResponse } from "../../../schemas/index.ts";
import type { AuditEntry } from "../audit.ts";
import type { Call, Seen } from "./model-spec.ts";
import { hasMoved, KINDS, OPEN_MAX, OPEN_PER_HOST_MAX, wrong } from "./model-spec.ts";

/** Something that must never happen has happened. */
export class Violation extends Error {
  override readonly name = "Violation";
}

const COLUMNS = `j.id, j.kind, j.host_id, j.server_id, j.state, j.lease, j.lease_until, j.deadline, j.attempt, j.cancel_at,
  json_extract(j.error_json, '$.code') AS code, j.message_id, m.version, m.next_at, m.sent
  FROM jobs j LEFT JOIN messages m ON m.id = j.message_id`;

const END_STATES: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled", "expired"]);

/** Looks at the database after every call of the object, and compares what it finds with what the call may have done. */
export class Oracle {
  readonly #sql: () => SqlStorage;
  readonly #open = new Map<string, Seen>();
  readonly #ended = new Map<string, Seen>();
  /** Every lease that a job ever had. */
  readonly #leases = new Map<string, Set<string>>();
  readonly #leasedAt = new Map<string, number>();
  readonly #returns = new Map<string, number>();
  /** How often each message was told of a change. */
  readonly #versions = new Map<number, number>();
  /** Jobs whose success was taken. */
  readonly #successes = new Set<string>();
  /** Jobs that the last call gave away. */
  #fresh: ReadonlySet<string> = new Set();
  #auditSeq = 0;

  constructor(sql: () => SqlStorage) {
    this.#sql = sql;
  }

  get open(): readonly Seen[] {
    return [...this.#open.values()];
  }

  get ended(): readonly Seen[] {
    return [...this.#ended.values()];
  }

  /** The row that a call is about to meet. */
  before(id: string): Seen | null {
    return this.#open.get(id) ?? this.#ended.get(id) ?? null;
  }

  /** Checks what a call did to jobs, messages, backups and audit. */
  after(call: Call, now: number): void {
    const rows = this.#rows("WHERE j.ended_at IS NULL");
    const still = new Set(rows.map(({ id }) => id));
    const gone = [...this.#open.keys()].filter((id) => !still.has(id));
    for (const id of gone) rows.push(...this.#one(id));
    // A success may still come after an end; nothing else may change what has ended.
    if (call.do === "result" && this.#ended.has(call.job)) rows.push(...this.#rows("WHERE j.id = ?", call.job));
    const told = new Map<number, number>();
    const expected: string[] = [];
    const fresh = rows.filter((row) => row.state === "leased" && this.before(row.id)?.state === "queued");
    this.#fresh = new Set(fresh.map(({ id }) => id));
    const given = new Set(fresh.filter(({ kind }) => KINDS[kind].writes).map(({ server }) => server ?? ""));
    for (const row of rows) {
      const before = this.before(row.id);
      const complaint = wrong(before, row, call, now, { returns: this.#returns.get(row.id) ?? 0, given });
      if (complaint !== null) throw new Violation(`${row.id} ${complaint}`);
      const steps = this.#steps(before, row, call);
      if (before !== null && row.message !== null) told.set(row.message, (told.get(row.message) ?? 0) + steps.touches);
      if (steps.row !== null) expected.push(steps.row);
    }
    this.#checkMessages(rows, told, call);
    this.#checkAudit(expected);
    for (const row of rows) this.#note(row, call, now);
    this.#checkHolders(rows);
    if (call.do === "result") this.#checkBackups(call.job);
  }

  /** A poll's answer against the rows as they are after it. */
  checkAnswer(call: Extract<Call, { do: "poll" }>, { jobs, cancel }: PollResponse): void {
    const held = new Map(call.running.map(({ job, lease }) => [job, lease]));
    if (jobs.length > call.room) throw new Violation("more jobs were given than there is room for");
    for (const job of jobs) {
      const row = this.#open.get(job.id);
      if (row?.state !== "leased" || row.lease !== job.lease || row.host !== call.host) throw new Violation(`${job.id} was given in vain`);
      if (held.has(job.id)) throw new Violation(`${job.id} was given to the agent that has it`);
    }
    const order = jobs.filter(({ id }) => this.#fresh.has(id)).map(({ kind }) => KINDS[kind].writes);
    if (order.indexOf(true) >= 0 && order.lastIndexOf(false) > order.indexOf(true))
      throw new Violation("a quick job comes behind a long one");
    for (const id of cancel) {
      const row = this.#open.get(id);
      if (!held.has(id)) throw new Violation(`${id} is to be stopped by an agent that does not have it`);
      if (row !== undefined && row.lease === held.get(id) && row.cancelAt === null)
        throw new Violation(`${id} is to be stopped for nothing`);
    }
    const waiting = this.open.filter((row) => row.host === call.host && row.state === "queued" && !held.has(row.id));
    const room = call.room - jobs.length;
    if (room > 0 && waiting.some(({ kind }) => !KINDS[kind].writes)) throw new Violation("a quick job waits though there is room");
    const free = room > 1 ? waiting.find((row) => KINDS[row.kind].writes && this.#isFree(row, call)) : undefined;
    if (free !== undefined) throw new Violation(`${free.id} waits though there is room and its server is free`);
  }

  /** What only shows over the whole table: nothing that ended has changed, and each success has one backup. */
  checkAll(): void {
    const sql = this.#sql();
    for (const row of sql.exec("SELECT id, state FROM jobs WHERE ended_at IS NOT NULL")) {
      const known = this.#ended.get(String(row.id));
      if (known?.state !== row.state) throw new Violation(`${row.id} ended as ${known?.state}, and is ${row.state} now`);
    }
    const backups = sql.exec("SELECT job_id, COUNT(*) AS n FROM backups GROUP BY job_id").toArray();
    for (const { job_id: job, n } of backups) {
      if (n !== 1 || !this.#successes.has(String(job))) throw new Violation(`${job} has ${n} backups`);
    }
    if (backups.length !== this.#successes.size) throw new Violation("a success that was taken has no backup");
  }

  #rows(where: string, ...bindings: unknown[]): Seen[] {
    return this.#sql()
      .exec(`SELECT ${COLUMNS} ${where}`, ...bindings)
      .toArray()
      .map(seen);
  }

  #one(id: string): Seen[] {
    const rows = this.#rows("WHERE j.id = ?", id);
    if (rows.length === 0) throw new Violation(`${id} is gone before it ended`);
    return rows;
  }

  /** What a call was to leave behind: touches of the job's message, and a row of the audit. */
  #steps(before: Seen | null, after: Seen, call: Call): { touches: number; row: string | null } {
    const ended = END_STATES.has(after.state);
    const line = (from: string | null, to: string) =>
      after.kind === "status" && !(ended && to === after.state) ? null : `${after.id} ${from} → ${to} by ${call.by}`;
    if (before === null) return { touches: 0, row: line(null, "queued") };
    if (hasMoved(before, after, call)) return { touches: 1, row: line(before.state, after.state) };
    if (before.cancelAt === null && after.cancelAt !== null) return { touches: 1, row: line(before.state, "cancelling") };
    const progressed = call.do === "progress" && call.job === after.id && call.lease === after.lease && after.state === "running";
    return { touches: progressed ? 1 : 0, row: null };
  }

  #checkMessages(rows: readonly Seen[], told: ReadonlyMap<number, number>, call: Call): void {
    for (const row of rows) {
      const before = this.before(row.id);
      if (before === null || row.message === null) continue;
      // What has been shown to its end may be forgotten.
      if (row.version === null && END_STATES.has(before.state)) continue;
      if (row.version === null) throw new Violation(`the message of ${row.id} is gone before its end was shown`);
      const touches = told.get(row.message) ?? 0;
      const grown = row.version - (this.#versions.get(row.message) ?? 0);
      if (grown !== touches) throw new Violation(`${row.id} (${row.state}) told its message ${grown} times of ${call.do}, not ${touches}`);
      if (touches > 0 && !row.pending) throw new Violation(`the message of ${row.id} does not know when to tell it`);
    }
  }

  #checkAudit(expected: string[]): void {
    const found: string[] = [];
    for (const row of this.#sql().exec("SELECT seq, entry_json FROM audit WHERE seq > ? ORDER BY seq", this.#auditSeq)) {
      this.#auditSeq = Number(row.seq);
      const entry = JSON.parse(String(row.entry_json)) as AuditEntry;
      if (entry.kind === "job") found.push(`${entry.job} ${entry.change?.from} → ${entry.change?.to} by ${entry.actor}`);
    }
    const [is, should] = [found.sort().join("\n"), expected.sort().join("\n")];
    if (is !== should) throw new Violation(`the audit says\n${is}\nand not\n${should}`);
  }

  #note(row: Seen, call: Call, now: number): void {
    const before = this.before(row.id);
    if (row.state === "leased" && before?.state !== "leased") {
      const leases = this.#leases.get(row.id) ?? new Set();
      if (leases.has(row.lease ?? "")) throw new Violation(`${row.id} was given away under a lease that it had before`);
      this.#leases.set(row.id, leases.add(row.lease ?? ""));
      this.#leasedAt.set(row.id, now);
    }
    if (
      before?.state === "queued" &&
      row.state === "running" &&
      row.deadline !== (this.#leasedAt.get(row.id) ?? 0) + KINDS[row.kind].runMs
    ) {
      throw new Violation(`${row.id} got more time to run because its agent was silent`);
    }
    const handedBack = call.do === "result" && before !== null && hasMoved(before, row, call) && row.state === "queued";
    if (handedBack) this.#returns.set(row.id, (this.#returns.get(row.id) ?? 0) + 1);
    if (row.state === "succeeded" && row.kind === "backup") this.#successes.add(row.id);
    if (row.message !== null && row.version !== null) this.#versions.set(row.message, row.version);
    this.#open.delete(row.id);
    (END_STATES.has(row.state) ? this.#ended : this.#open).set(row.id, row);
  }

  /** One that writes at a time on a server, and the caps. `rows` are those that were looked at. */
  #checkHolders(rows: readonly Seen[]): void {
    const held = new Map<string, string>();
    const perHost = new Map<string, number>();
    for (const row of rows) {
      if (END_STATES.has(row.state)) continue;
      perHost.set(row.host, (perHost.get(row.host) ?? 0) + 1);
      if (!KINDS[row.kind].writes || row.server === null || row.state === "queued") continue;
      const other = held.get(row.server);
      if (other !== undefined) throw new Violation(`${other} and ${row.id} work on ${row.server} at the same time`);
      held.set(row.server, row.id);
    }
    if (this.#open.size > OPEN_MAX) throw new Violation("too many jobs are open");
    if ([...perHost.values()].some((count) => count > OPEN_PER_HOST_MAX)) throw new Violation("too many jobs of one host are open");
  }

  #checkBackups(job: string): void {
    const row = this.before(job);
    const count = this.#sql().exec("SELECT 1 FROM backups WHERE key = ?", `job/${job}`).toArray().length;
    const due = row?.kind === "backup" && row.state === "succeeded" ? 1 : 0;
    if (row !== null && count !== due) throw new Violation(`${job} is ${row.state} and has ${count} backups`);
  }

  /** Nobody else works on the job's server, as far as a poll can tell. */
  #isFree(job: Seen, call: Extract<Call, { do: "poll" }>): boolean {
    const listed = new Set(call.running.map((held) => held.job));
    const rivals = [...this.open, ...[...listed].map((id) => this.#ended.get(id)).filter((row) => row !== undefined)];
    return rivals.every((other) => {
      if (other.id === job.id || other.server !== job.server || !KINDS[other.kind].writes) return true;
      return other.state === "queued" && !listed.has(other.id) && (other.lease === null || other.host === call.host);
    });
  }
}

function seen(row: Record<string, SqlStorageValue>): Seen {
  const number = (value: SqlStorageValue | undefined) => (typeof value === "number" ? value : null);
  const text = (value: SqlStorageValue | undefined) => (typeof value === "string" ? value : null);
  return {
    id: String(row.id),
    kind: row.kind as Seen["kind"],
    host: String(row.host_id),
    server: text(row.server_id),
    state: row.state as Seen["state"],
    lease: text(row.lease),
    leaseUntil: number(row.lease_until),
    deadline: Number(row.deadline),
    attempt: Number(row.attempt),
    cancelAt: number(row.cancel_at),
    code: text(row.code),
    message: number(row.message_id),
    version: number(row.version),
    pending: row.next_at !== null || row.sent === row.version,
  };
}
