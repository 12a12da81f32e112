import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { type ServerId, serverId, type Verification, verification } from "../../schemas/index.ts";

/** What is done by time; the check of a fresh backup needs no row. */
export type TimedCheck = "daily" | "drill";

/**
 * How far the daily share has come: at a time, so many steps of 1 / 2^32 of the store had been read in all. It only ever counts up; a whole round
 * is 2^32 steps.
 */
export type RoundMark = readonly [at: number, steps: number];

/** How one timed check of a server stands. Times in milliseconds since the epoch. */
export interface TimedRow {
  server: ServerId;
  check: TimedCheck;
  /** Since when the config wants it; 0 while it does not. */
  since: number;
  /** The newest nominal time that is settled, or 0. */
  settled: number;
  /** How often the nominal time that is due was tried. */
  attempts: number;
  /** It is not tried again before. */
  nextAt: number;
  /** Of `daily`: oldest first. */
  round: readonly RoundMark[];
  last?: Verification;
  /** Of `drill`: the last one that passed. */
  proven?: Verification;
}

const row = z.object({
  server: serverId,
  check_name: z.enum(["daily", "drill"]),
  since: z.number(),
  settled: z.number(),
  attempts: z.int(),
  next_at: z.number(),
  round: z.string(),
  last: z.nullable(z.string()),
  proven: z.nullable(z.string()),
});
const marks = z.array(z.tuple([z.number(), z.number()]));

/** Backups of a server that are in doubt are remembered up to this number; the oldest finding goes first. */
const DOUBTS_MAX = 1000;
const WHY_MAX = 300;

/** How verifications stand, which backups did not pass one, and which folders drills have made. */
export class VerificationsTable {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  all(): TimedRow[] {
    return this.#db.prepare("SELECT * FROM verifications ORDER BY server, check_name").all().map(rowOf);
  }

  get(server: string, check: TimedCheck): TimedRow | undefined {
    const found = this.#db.prepare("SELECT * FROM verifications WHERE server = ? AND check_name = ?").get(server, check);
    return found === undefined ? undefined : rowOf(found);
  }

  put(it: TimedRow): void {
    const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value));
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO verifications (server, check_name, since, settled, attempts, next_at, round, last, proven)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(it.server, it.check, it.since, it.settled, it.attempts, it.nextAt, JSON.stringify(it.round), json(it.last), json(it.proven));
  }

  /** Notes that a backup did not pass: its archive's name, or its snapshot's id. */
  doubt(server: string, backup: string, why: string, at: number): void {
    this.#db
      .prepare("INSERT OR REPLACE INTO doubts (server, backup, why, at) VALUES (?, ?, ?, ?)")
      .run(server, backup, why.slice(0, WHY_MAX), at);
    this.#db
      .prepare(
        "DELETE FROM doubts WHERE server = ?1 AND backup IN (SELECT backup FROM doubts WHERE server = ?1 ORDER BY at DESC LIMIT -1 OFFSET ?2)",
      )
      .run(server, DOUBTS_MAX);
  }

  /** It passed after all, such as after the store was repaired. */
  trust(server: string, backup: string): void {
    this.#db.prepare("DELETE FROM doubts WHERE server = ? AND backup = ?").run(server, backup);
  }

  /** Backups that did not pass a check: retention counts none of them as good. */
  doubts(server: string): ReadonlySet<string> {
    const found = this.#db.prepare("SELECT backup FROM doubts WHERE server = ?").all(server);
    return new Set(found.map(({ backup }) => String(backup)));
  }

  /** The newest backup that a drill proved. */
  proven(server: string): string | undefined {
    const ref = this.get(server, "drill")?.proven?.backup;
    return ref === undefined ? undefined : ref.format === "zip" ? ref.archive : ref.snapshot;
  }

  /** A drill is about to make this folder. */
  drillBegins(folder: string, server: string, at: number): void {
    this.#db.prepare("INSERT INTO drill_folders (folder, server, begun_at) VALUES (?, ?, ?)").run(folder, server, at);
  }

  /** The folder is gone. */
  drillEnded(folder: string): void {
    this.#db.prepare("DELETE FROM drill_folders WHERE folder = ?").run(folder);
  }

  /** Folders that drills have made and not removed yet. */
  drillFolders(): { folder: string; server: string }[] {
    return this.#db
      .prepare("SELECT folder, server FROM drill_folders ORDER BY begun_at, folder")
      .all()
      .map(({ folder, server }) => ({ folder: String(folder), server: String(server) }));
  }
}

function rowOf(found: unknown): TimedRow {
  const { check_name: check, next_at: nextAt, round, last, proven, ...rest } = row.parse(found);
  return {
    ...rest,
    check,
    nextAt,
    round: marks.parse(JSON.parse(round)),
    ...(last !== null && { last: verification.parse(JSON.parse(last)) }),
    ...(proven !== null && { proven: verification.parse(JSON.parse(proven)) }),
  };
}
