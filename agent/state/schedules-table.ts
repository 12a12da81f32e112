import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { type AnnouncedSchedule, instant, type ScheduleName, type ServerId, scheduleName, serverId } from "../../schemas/index.ts";

/** From one nominal time to another, both included: all that lie between are settled too. */
export type SettledSpan = readonly [from: number, to: number];

/** A schedule of the config as the agent keeps it. */
export interface ScheduleRow extends Omit<AnnouncedSchedule, "name"> {
  server: ServerId;
  name: ScheduleName;
  /** When its last run began. */
  lastStartedAt?: number;
  /** Nominal times that have been decided on, in order: they ran, or were left out for good. */
  settled: readonly SettledSpan[];
}

const row = z.object({
  server: serverId,
  name: scheduleName,
  cron: z.string(),
  zone: z.string(),
  grace_start_s: z.int(),
  grace_finish_s: z.int(),
  since: instant,
  paused: z.int(),
  paused_until: z.nullable(instant),
  last_started_at: z.nullable(instant),
  settled: z.string(),
});
const spans = z.array(z.tuple([z.int(), z.int()]));

/** The schedules that the daemon has taken up, and how far each has come. */
export class SchedulesTable {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  all(): ScheduleRow[] {
    return this.#db.prepare("SELECT * FROM schedules ORDER BY server, name").all().map(rowOf);
  }

  of(server: ServerId): ScheduleRow[] {
    return this.#db.prepare("SELECT * FROM schedules WHERE server = ? ORDER BY name").all(server).map(rowOf);
  }

  get(server: ServerId, name: ScheduleName): ScheduleRow | undefined {
    const found = this.#db.prepare("SELECT * FROM schedules WHERE server = ? AND name = ?").get(server, name);
    return found === undefined ? undefined : rowOf(found);
  }

  put(it: ScheduleRow): void {
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO schedules
           (server, name, cron, zone, grace_start_s, grace_finish_s, since, paused, paused_until, last_started_at, settled)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        ...[it.server, it.name, it.cron, it.zone, it.graceStartSeconds, it.graceFinishSeconds],
        ...[it.since, it.paused ? 1 : 0, it.pausedUntil ?? null, it.lastStartedAt ?? null, JSON.stringify(it.settled)],
      );
  }

  remove(server: ServerId, name: ScheduleName): void {
    this.#db.prepare("DELETE FROM schedules WHERE server = ? AND name = ?").run(server, name);
  }
}

function rowOf(found: unknown): ScheduleRow {
  const { grace_start_s, grace_finish_s, paused, paused_until, last_started_at, settled, ...rest } = row.parse(found);
  return {
    ...rest,
    graceStartSeconds: grace_start_s,
    graceFinishSeconds: grace_finish_s,
    paused: paused === 1,
    ...(paused_until === null ? {} : { pausedUntil: paused_until }),
    ...(last_started_at === null ? {} : { lastStartedAt: last_started_at }),
    settled: spans.parse(JSON.parse(settled)),
  };
}
