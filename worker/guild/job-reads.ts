import { holdsServer } from "./claim-rules.ts";
import type { JobRecord } from "./job-record.ts";
import { jobRecord } from "./job-record.ts";
import type { JobState } from "./job-rules.ts";
import type { QueueLength } from "./queue-rules.ts";

export interface JobFilter {
  server?: string;
  /** One of these; all when it is left out. */
  states?: readonly JobState[];
}

/** What is asked of the table of jobs. */
export class JobReads {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  byId(id: string): JobRecord | null {
    return this.select("WHERE id = ?", id)[0] ?? null;
  }

  byKey(key: string): JobRecord | null {
    return this.select("WHERE key = ?", key)[0] ?? null;
  }

  /** Jobs of a host that have not ended, oldest first. */
  openOf(host: string): JobRecord[] {
    return this.select("WHERE ended_at IS NULL AND host_id = ? ORDER BY created_at, id", host);
  }

  openBackupOf(server: string): JobRecord | null {
    return this.select("WHERE ended_at IS NULL AND kind = 'backup' AND server_id = ?", server)[0] ?? null;
  }

  /** Open jobs of the guild, or of one host. */
  queueLength(host?: string): QueueLength {
    const row = this.#sql
      .exec(
        "SELECT COUNT(*) AS open, COUNT(*) FILTER (WHERE state = 'queued') AS waiting FROM jobs WHERE ended_at IS NULL AND (?1 IS NULL OR host_id = ?1)",
        host ?? null,
      )
      .one();
    return { open: Number(row.open), waiting: Number(row.waiting) };
  }

  /** Open jobs first, oldest first; then the ended ones, newest first. */
  page({ server, states }: JobFilter, { limit, offset }: { limit: number; offset: number }): { jobs: JobRecord[]; count: number } {
    const where = "WHERE (?1 IS NULL OR server_id = ?1) AND (?2 IS NULL OR state IN (SELECT value FROM json_each(?2)))";
    const bindings = [server ?? null, states === undefined ? null : JSON.stringify(states)];
    const order = "ORDER BY ended_at IS NOT NULL, CASE WHEN ended_at IS NULL THEN created_at ELSE -ended_at END, id";
    const count = Number(this.#sql.exec(`SELECT COUNT(*) AS n FROM jobs ${where}`, ...bindings).one().n);
    return { jobs: this.select(`${where} ${order} LIMIT ?3 OFFSET ?4`, ...bindings, limit, offset), count };
  }

  /** Servers that are not free for another job of a host, when its agent says that it still has `listed`. */
  heldServers(host: string, listed: ReadonlySet<string>): Set<string> {
    const others = this.select("WHERE ended_at IS NULL AND lease IS NOT NULL").filter(({ id }) => !listed.has(id));
    const held = others.filter((job) => holdsServer(job, host, false)).map(({ server }) => server);
    return new Set([...held.filter((server) => server !== null), ...this.serversAtWork(host, listed)]);
  }

  /** Servers that the agent of a host is at work on, as it says that it still has `listed`. */
  serversAtWork(host: string, listed: ReadonlySet<string>): Set<string> {
    const jobs = [...listed].map((id) => this.byId(id)).filter((job) => job !== null);
    const held = jobs.filter((job) => holdsServer(job, host, true)).map(({ server }) => server);
    return new Set(held.filter((server) => server !== null));
  }

  /** Hosts with a waiting job that the end of another job may set free: of the same host, or for the same server. */
  hostsWaitingFor({ host, server }: JobRecord): string[] {
    const rows = this.#sql.exec(
      "SELECT DISTINCT host_id FROM jobs WHERE ended_at IS NULL AND state = 'queued' AND (host_id = ? OR server_id = ?)",
      ...[host, server],
    );
    return rows.toArray().map((row) => String(row.host_id));
  }

  protected select(where: string, ...bindings: unknown[]): JobRecord[] {
    return this.#sql
      .exec(`SELECT * FROM jobs ${where}`, ...bindings)
      .toArray()
      .map(jobRecord);
  }
}
