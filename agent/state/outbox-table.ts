import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { instant, type JobId, type LeaseId, type Outcome, type Report, report, resultRequest } from "../../schemas/index.ts";

/** Messages that wait at most; above that the oldest go. */
export const OUTBOX_MAX = 1000;

const row = z.object({
  id: z.int(),
  kind: z.enum(["result", "report"]),
  ref: z.string(),
  body: z.string(),
  created_at: instant,
  attempts: z.int(),
  next_at: instant,
});

interface Waiting {
  id: number;
  createdAt: number;
  attempts: number;
  nextAt: number;
}

/** A message to the control plane that it has not acknowledged yet. */
export type OutboxEntry = Waiting &
  (
    | { kind: "result"; ref: JobId; body: z.infer<typeof resultRequest> }
    /** `ref` is the report's key. */
    | { kind: "report"; ref: string; body: Report }
  );

/** What the control plane must hear in the end: results of its jobs, and reports of work that it did not ask for. */
export class OutboxTable {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Takes the place of an earlier result of the same job, under a new id. */
  putResult(id: JobId, lease: LeaseId, outcome: Outcome, now: number): void {
    this.#put("result", id, { lease, outcome }, now);
  }

  putReport(made: Report, now: number): void {
    this.#put("report", made.key, made, now);
  }

  #put(kind: OutboxEntry["kind"], ref: string, body: unknown, now: number): void {
    this.#db
      .prepare("INSERT OR REPLACE INTO outbox (kind, ref, body, created_at, next_at) VALUES (?, ?, ?, ?, ?)")
      .run(kind, ref, JSON.stringify(body), now, now);
  }

  /** The message that has waited longest among those whose time has come. */
  nextDue(now: number): OutboxEntry | undefined {
    const found = this.#db.prepare("SELECT * FROM outbox WHERE next_at <= ? ORDER BY next_at, id LIMIT 1").get(now);
    return found === undefined ? undefined : entryOf(found);
  }

  /** When the next message is due, or undefined when none waits. */
  nextAt(): number | undefined {
    const found = this.#db.prepare("SELECT min(next_at) AS at FROM outbox").get();
    return typeof found?.at === "number" ? found.at : undefined;
  }

  /** Leases of the jobs whose result waits here. */
  leases(): { job: JobId; lease: LeaseId }[] {
    const rows = this.#db.prepare("SELECT * FROM outbox WHERE kind = 'result' ORDER BY id").all().map(entryOf);
    return rows.flatMap((entry) => (entry.kind === "result" ? [{ job: entry.ref, lease: entry.body.lease }] : []));
  }

  has(kind: OutboxEntry["kind"], ref: string): boolean {
    return this.#db.prepare("SELECT 1 FROM outbox WHERE kind = ? AND ref = ?").get(kind, ref) !== undefined;
  }

  get size(): number {
    return Number(this.#db.prepare("SELECT count(*) AS n FROM outbox").get()?.n ?? 0);
  }

  /** When the message that has waited longest was put here, or undefined when none waits. */
  oldestAt(): number | undefined {
    const found = this.#db.prepare("SELECT min(created_at) AS at FROM outbox").get();
    return typeof found?.at === "number" ? found.at : undefined;
  }

  delay(id: number, nextAt: number): void {
    this.#db.prepare("UPDATE outbox SET attempts = attempts + 1, next_at = ? WHERE id = ?").run(nextAt, id);
  }

  remove(id: number): void {
    this.#db.prepare("DELETE FROM outbox WHERE id = ?").run(id);
  }

  /** A job that runs again has no result yet. */
  removeResult(job: JobId): void {
    this.#db.prepare("DELETE FROM outbox WHERE kind = 'result' AND ref = ?").run(job);
  }

  /** All that waits is due now: the control plane can be reached again. */
  hurry(now: number): void {
    this.#db.prepare("UPDATE outbox SET next_at = ? WHERE next_at > ?").run(now, now);
  }

  /** Drops what is older than `before` or above the cap, and answers it. */
  drop(before: number): { kind: string; ref: string }[] {
    const rows = this.#db
      .prepare(
        `DELETE FROM outbox WHERE created_at < ? OR id NOT IN (SELECT id FROM outbox ORDER BY id DESC LIMIT ?)
         RETURNING kind, ref`,
      )
      .all(before, OUTBOX_MAX);
    return rows.map(({ kind, ref }) => ({ kind: String(kind), ref: String(ref) }));
  }

  clear(): void {
    this.#db.exec("DELETE FROM outbox");
  }
}

function entryOf(found: unknown): OutboxEntry {
  const { id, kind, ref, body, created_at, attempts, next_at } = row.parse(found);
  const waiting = { id, createdAt: created_at, attempts, nextAt: next_at };
  const parsed: unknown = JSON.parse(body);
  return kind === "result"
    ? { ...waiting, kind, ref, body: resultRequest.parse(parsed) }
    : { ...waiting, kind, ref, body: report.parse(parsed) };
}
