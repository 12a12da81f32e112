import type { AnnouncedSchedule, AnnouncedServer, Instant, Problem } from "../../schemas/index.ts";
import { problemOf, refuse } from "../refusals.ts";

export interface ServerRecord extends AnnouncedServer {
  host: string;
  announcedAt: Instant;
}

/** Game servers as their hosts announced them. An id belongs to the host that announced it first. */
export class Servers {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  all(): ServerRecord[] {
    return this.#sql.exec("SELECT * FROM servers ORDER BY id").toArray().map(record);
  }

  byId(id: string): ServerRecord | null {
    return this.#sql.exec("SELECT * FROM servers WHERE id = ?", id).toArray().map(record)[0] ?? null;
  }

  of(host: string): ServerRecord[] {
    return this.#sql.exec("SELECT * FROM servers WHERE host_id = ? ORDER BY id", host).toArray().map(record);
  }

  /** Those with schedules. */
  scheduled(): ServerRecord[] {
    return this.#sql
      .exec("SELECT * FROM servers WHERE json_array_length(announced_json, '$.schedules') > 0 ORDER BY id")
      .toArray()
      .map(record);
  }

  /** What the host says of a server's schedules between two announcements. */
  setSchedules(host: string, server: string, schedules: AnnouncedSchedule[]): void {
    this.#sql.exec(
      "UPDATE servers SET announced_json = json_set(announced_json, '$.schedules', json(?)) WHERE id = ? AND host_id = ?",
      ...[JSON.stringify(schedules), server, host],
    );
  }

  /** Makes the host's servers those that it announces. Ids that another host has stay there, with a complaint. */
  announce(host: string, announced: AnnouncedServer[], nameOfHost: (id: string) => string, now: Instant): Problem[] {
    const problems: Problem[] = [];
    const kept = new Set<string>();
    for (const server of announced) {
      const existing = this.byId(server.id);
      if (existing !== null && existing.host !== host) {
        problems.push(problemOf(refuse("server-taken", { server: server.id, host: nameOfHost(existing.host) })).body);
        continue;
      }
      kept.add(server.id);
      this.#sql.exec(
        `INSERT INTO servers (id, host_id, announced_json, announced_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET announced_json = excluded.announced_json, announced_at = excluded.announced_at`,
        ...[server.id, host, JSON.stringify(server), now],
      );
    }
    for (const server of this.of(host)) {
      if (!kept.has(server.id)) this.#sql.exec("DELETE FROM servers WHERE id = ?", server.id);
    }
    return problems;
  }

  /** Frees the ids of a host that is gone. Its backups stay. */
  removeOf(host: string): void {
    this.#sql.exec("DELETE FROM servers WHERE host_id = ?", host);
  }
}

function record(row: Record<string, SqlStorageValue>): ServerRecord {
  return {
    ...(JSON.parse(String(row.announced_json)) as AnnouncedServer),
    host: String(row.host_id),
    announcedAt: Number(row.announced_at),
  };
}
