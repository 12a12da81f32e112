import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { instant, type Job, type JobId, job, type Outcome, outcome } from "../../schemas/index.ts";

/** Finished jobs are remembered so long, so that one that comes again is answered and not run again. */
export const JOURNAL_KEEP_MS = 14 * 24 * 60 * 60 * 1000;
/** And at most so many of them. */
export const JOURNAL_KEEP_ROWS = 1000;

/** `taken`: written down, not begun. `running`: begun. `done`: has an outcome. */
export type JournalEntry = { job: Job; interruptions: number; takenAt: number } & (
  | { state: "taken" | "running" }
  | { state: "done"; outcome: Outcome }
);

const row = z.object({
  state: z.enum(["taken", "running", "done"]),
  body: z.string(),
  interruptions: z.int(),
  taken_at: instant,
  outcome: z.nullable(z.string()),
});

/** Every job that this host took on: written before it begins, so that a crash forgets none. */
export class JournalTable {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  get(id: JobId): JournalEntry | undefined {
    const found = this.#db.prepare("SELECT * FROM journal WHERE job = ?").get(id);
    return found === undefined ? undefined : entryOf(found);
  }

  /** Jobs that a process took on and did not finish, oldest first. */
  unfinished(): JournalEntry[] {
    return this.#db.prepare("SELECT * FROM journal WHERE state <> 'done' ORDER BY taken_at, job").all().map(entryOf);
  }

  /** Writes a job down. One that is there already keeps its interruptions and is `taken` anew. */
  take(taken: Job, now: number): void {
    this.#db
      .prepare(
        `INSERT INTO journal (job, state, body, taken_at) VALUES (?, 'taken', ?, ?)
         ON CONFLICT (job) DO UPDATE SET state = 'taken', body = excluded.body, finished_at = NULL, outcome = NULL`,
      )
      .run(taken.id, JSON.stringify(taken), now);
  }

  begin(id: JobId): void {
    this.#db.prepare("UPDATE journal SET state = 'running' WHERE job = ? AND state <> 'done'").run(id);
  }

  /** Counts one interruption and answers how many there were in all. */
  interrupted(id: JobId): number {
    const found = this.#db.prepare("UPDATE journal SET interruptions = interruptions + 1 WHERE job = ? RETURNING interruptions").get(id);
    return Number(found?.interruptions ?? 0);
  }

  /** The guild gave the same job again under another lease. */
  relet(again: Job): void {
    this.#db.prepare("UPDATE journal SET body = ? WHERE job = ?").run(JSON.stringify(again), again.id);
  }

  finish(id: JobId, ended: Outcome, now: number): void {
    this.#db.prepare("UPDATE journal SET state = 'done', outcome = ?, finished_at = ? WHERE job = ?").run(JSON.stringify(ended), now, id);
  }

  /** Forgets a job: when it comes again, it runs again. */
  forget(id: JobId): void {
    this.#db.prepare("DELETE FROM journal WHERE job = ?").run(id);
  }

  /** Forgets finished jobs that are old or too many. */
  trim(now: number): void {
    this.#db.prepare("DELETE FROM journal WHERE state = 'done' AND finished_at < ?").run(now - JOURNAL_KEEP_MS);
    this.#db
      .prepare(
        `DELETE FROM journal WHERE state = 'done' AND job NOT IN
           (SELECT job FROM journal WHERE state = 'done' ORDER BY finished_at DESC LIMIT ?)`,
      )
      .run(JOURNAL_KEEP_ROWS);
  }

  clear(): void {
    this.#db.exec("DELETE FROM journal");
  }
}

function entryOf(found: unknown): JournalEntry {
  const { state, body, interruptions, taken_at, outcome: ended } = row.parse(found);
  const base = { job: job.parse(JSON.parse(body)), interruptions, takenAt: taken_at };
  if (state !== "done") return { ...base, state };
  return { ...base, state, outcome: outcome.parse(JSON.parse(ended ?? "null")) };
}
