import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { instant, type ScheduledRun, scheduleName, serverId, type Traceparent, traceparent } from "../../schemas/index.ts";

/** A scheduled run that began and has not ended. `stopped`: the agent was asked to stop and left it clean; it goes on at the next start. */
export interface RunRow extends ScheduledRun {
  traceparent: Traceparent;
  state: "running" | "stopped";
  interruptions: number;
}

const row = z.object({
  server: serverId,
  schedule: scheduleName,
  nominal: instant,
  started_at: instant,
  catch_up: z.int(),
  traceparent,
  state: z.enum(["running", "stopped"]),
  interruptions: z.int(),
});

type Key = Pick<ScheduledRun, "server" | "schedule" | "nominal">;

/** Scheduled runs at work: written before they begin, so that a crash forgets none. */
export class RunsTable {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Oldest first. */
  unfinished(): RunRow[] {
    const rows = this.#db.prepare("SELECT * FROM scheduled_runs ORDER BY started_at, server, schedule, nominal").all();
    return rows.map((found) => {
      const { started_at, catch_up, ...rest } = row.parse(found);
      return { ...rest, startedAt: started_at, catchUp: catch_up === 1 };
    });
  }

  begin({ server, schedule, nominal, startedAt, catchUp }: ScheduledRun, trace: Traceparent): void {
    this.#db
      .prepare(
        `INSERT INTO scheduled_runs (server, schedule, nominal, started_at, catch_up, traceparent, state) VALUES (?, ?, ?, ?, ?, ?, 'running')`,
      )
      .run(server, schedule, nominal, startedAt, catchUp ? 1 : 0, trace);
  }

  stopped({ server, schedule, nominal }: Key): void {
    this.#set("state = 'stopped'", server, schedule, nominal);
  }

  /** Goes on after a stop, which is no interruption. */
  goesOn({ server, schedule, nominal }: Key): void {
    this.#set("state = 'running'", server, schedule, nominal);
  }

  interrupted({ server, schedule, nominal }: Key): void {
    this.#set("interruptions = interruptions + 1", server, schedule, nominal);
  }

  end({ server, schedule, nominal }: Key): void {
    this.#db.prepare("DELETE FROM scheduled_runs WHERE server = ? AND schedule = ? AND nominal = ?").run(server, schedule, nominal);
  }

  #set(change: string, ...key: [server: string, schedule: string, nominal: number]): void {
    this.#db.prepare(`UPDATE scheduled_runs SET ${change} WHERE server = ? AND schedule = ? AND nominal = ?`).run(...key);
  }
}
