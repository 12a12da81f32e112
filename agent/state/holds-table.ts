import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { type HoldStep, holdStep } from "../../schemas/hold.ts";
import { instant, serverId } from "../../schemas/index.ts";

const row = z.object({
  server: serverId,
  since: instant,
  release_steps: z.string(),
  attempts: z.int(),
  next_at: z.number(),
});

/** Saves of a server that are held, or may be. */
export interface OpenHold {
  server: string;
  /** Milliseconds since the epoch. */
  since: number;
  /** What lets the server save again. */
  steps: HoldStep[];
  /** How often that has failed. */
  attempts: number;
  /** When it is tried again, in milliseconds since the epoch. */
  nextAt: number;
}

/**
 * Saves that are held: written before the server is told to hold them, removed when it has been told to go on. A row whose backup does not run any
 * more, which its lock tells, is one that somebody else has to release.
 */
export class HoldsTable {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  open(server: string, since: number, steps: readonly HoldStep[]): void {
    this.#db
      .prepare("INSERT OR REPLACE INTO open_holds (server, since, release_steps, attempts, next_at) VALUES (?, ?, ?, 0, 0)")
      .run(server, since, JSON.stringify(steps));
  }

  closed(server: string): void {
    this.#db.prepare("DELETE FROM open_holds WHERE server = ?").run(server);
  }

  failed(server: string, nextAt: number): void {
    this.#db.prepare("UPDATE open_holds SET attempts = attempts + 1, next_at = ? WHERE server = ?").run(nextAt, server);
  }

  /** All are tried from the beginning again. */
  startAnew(): void {
    this.#db.exec("UPDATE open_holds SET attempts = 0, next_at = 0");
  }

  get(server: string): OpenHold | undefined {
    return this.all().find((hold) => hold.server === server);
  }

  /** Oldest first. One a server at most. */
  all(): OpenHold[] {
    const rows = this.#db.prepare("SELECT * FROM open_holds ORDER BY since, server").all();
    return rows.map((found) => {
      const { release_steps: steps, next_at: nextAt, ...rest } = row.parse(found);
      return { ...rest, nextAt, steps: holdStep.array().parse(JSON.parse(steps)) };
    });
  }
}
