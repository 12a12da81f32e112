import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import type { BackupResult } from "../../schemas/index.ts";

const row = z.object({ server: z.string(), ended_at: z.number(), duration_ms: z.number(), bytes: z.number(), source_bytes: z.number() });

/** The last good backup of a server. */
export interface LastBackup {
  server: string;
  endedAt: number;
  durationMs: number;
  bytes: number;
  sourceBytes: number;
}

/** The last good backup of each server, whoever asked for it and whichever process made it. One row a server, for metrics. */
export class BackupsTable {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** A backup succeeded. One that ended before the one that is known changes nothing. */
  put({ server, startedAt, durationMs, bytes, sourceBytes }: BackupResult): void {
    this.#db
      .prepare(
        `INSERT INTO last_backups (server, ended_at, duration_ms, bytes, source_bytes) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (server) DO UPDATE SET ended_at = excluded.ended_at, duration_ms = excluded.duration_ms, bytes = excluded.bytes,
           source_bytes = excluded.source_bytes
         WHERE excluded.ended_at >= ended_at`,
      )
      .run(server, startedAt + durationMs, durationMs, bytes, sourceBytes);
  }

  all(): LastBackup[] {
    return this.#db
      .prepare("SELECT * FROM last_backups ORDER BY server")
      .all()
      .map((found) => {
        const { server, ended_at, duration_ms, bytes, source_bytes } = row.parse(found);
        return { server, endedAt: ended_at, durationMs: duration_ms, bytes, sourceBytes: source_bytes };
      });
  }
}
