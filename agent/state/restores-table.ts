import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { backupRef, instant, type Problem, problem, restoreResult, serverId } from "../../schemas/index.ts";
import { swapUnit } from "../restore/swap.ts";

/** Restores that are over are remembered for so long, so that a job that comes again is answered, and an Undo finds its way. */
export const RESTORES_KEEP_MS = 30 * 24 * 60 * 60 * 1000;
/** And at most so many of them. */
export const RESTORES_KEEP_ROWS = 500;

/**
 * How far a restore has come. `staging`: nothing of the server is touched. `stopped`: the server was told to stop. `swapping`: the old and the new change
 * places. `swapped`: the new is live and on trial. `rolling-back`: the old comes back. `committed`: the new has stood its trial; what is left is tidying.
 * `done`: over, with a result or a problem.
 */
const phase = z.enum(["staging", "stopped", "swapping", "swapped", "rolling-back", "committed", "done"]);
export type RestorePhase = z.infer<typeof phase>;

const body = z.object({
  folder: z.string(),
  stage: z.string(),
  placement: z.enum(["beside", "inside"]),
  units: z.array(swapUnit),
  backup: backupRef,
  /** How people call it. */
  name: z.string(),
  /** It was told to stop by this restore, and has to be started again. */
  stopped: z.boolean(),
  /** When it was. */
  downSince: z.nullable(instant),
  safety: z.nullable(backupRef),
  /** What the restore comes to when it stands its trial. */
  result: z.nullable(restoreResult),
});
export type RestoreBody = z.infer<typeof body>;

/** A restore in place: written down before each step, so that whatever was begun is ended or undone. */
export interface RestoreRow extends RestoreBody {
  id: string;
  server: string;
  job: string | null;
  startedAt: number;
  phase: RestorePhase;
  /** Why it brought back the old, once it is done. */
  problem: Problem | null;
}

const row = z.object({
  id: z.string(),
  server: serverId,
  job: z.nullable(z.string()),
  started_at: instant,
  phase,
  body: z.string(),
  problem: z.nullable(z.string()),
});

export class RestoresTable {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Those that have begun and are not over, oldest first. */
  open(): RestoreRow[] {
    return this.#db.prepare("SELECT * FROM restores WHERE phase <> 'done' ORDER BY started_at, id").all().map(rowOf);
  }

  /** The newest one of a job that is over. */
  ofJob(job: string): RestoreRow | undefined {
    const found = this.#db.prepare("SELECT * FROM restores WHERE job = ? AND phase = 'done' ORDER BY started_at DESC, id LIMIT 1").get(job);
    return found === undefined ? undefined : rowOf(found);
  }

  /** The newest one of a server that succeeded. */
  lastOf(server: string): RestoreRow | undefined {
    const found = this.#db
      .prepare("SELECT * FROM restores WHERE server = ? AND phase = 'done' AND problem IS NULL ORDER BY started_at DESC, id LIMIT 1")
      .get(server);
    return found === undefined ? undefined : rowOf(found);
  }

  put({ id, server, job, startedAt, phase: now, problem: why, ...rest }: RestoreRow): void {
    this.#db
      .prepare(
        `INSERT INTO restores (id, server, job, started_at, phase, body, problem) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, body = excluded.body, problem = excluded.problem`,
      )
      .run(id, server, job, startedAt, now, JSON.stringify(rest), why === null ? null : JSON.stringify(why));
  }

  /** Forgets one that touched nothing. */
  remove(id: string): void {
    this.#db.prepare("DELETE FROM restores WHERE id = ?").run(id);
  }

  /** Forgets those that are over and old, or too many. */
  trim(now: number): void {
    this.#db.prepare("DELETE FROM restores WHERE phase = 'done' AND started_at < ?").run(now - RESTORES_KEEP_MS);
    this.#db
      .prepare(
        "DELETE FROM restores WHERE phase = 'done' AND id NOT IN (SELECT id FROM restores WHERE phase = 'done' ORDER BY started_at DESC LIMIT ?)",
      )
      .run(RESTORES_KEEP_ROWS);
  }
}

function rowOf(found: unknown): RestoreRow {
  const { started_at, body: text, problem: why, ...rest } = row.parse(found);
  return { ...rest, ...body.parse(JSON.parse(text)), startedAt: started_at, problem: why === null ? null : problem.parse(JSON.parse(why)) };
}
