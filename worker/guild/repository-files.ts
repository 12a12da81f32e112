import type { Instant, RepositoryFileType } from "../../schemas/index.ts";

/** A file that R2 holds. Its row is written once, when the file is whole; the time is the control plane's own, so that no host can back-date. */
export interface RepositoryFile {
  server: string;
  type: RepositoryFileType;
  name: string;
  bytes: number;
  at: Instant;
  /** `host ID`, `credential NUMBER`, or `listing` when it was only found there. */
  putBy: string;
}

/** How much of something there is. */
export interface RepositoryUsage {
  snapshots: number;
  packs: number;
  bytes: number;
}

/** Configs, packs and snapshots of all repositories: one row each. */
export class RepositoryFiles {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** False when it is there already; nothing changes then. One row written, and one more while a sum is kept. */
  add(file: RepositoryFile): boolean {
    const added = this.#sql.exec(
      `INSERT INTO repository_files (server_id, type, name, bytes, at, put_by) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING RETURNING name`,
      ...[file.server, file.type, file.name, file.bytes, file.at, file.putBy],
    );
    if (added.toArray().length === 0) return false;
    this.#sql.exec("UPDATE repository_sum SET bytes = bytes + ?", file.bytes);
    return true;
  }

  byName(server: string, type: RepositoryFileType, name: string): RepositoryFile | null {
    const found = this.#sql.exec("SELECT * FROM repository_files WHERE server_id = ? AND type = ? AND name = ?", ...[server, type, name]);
    return found.toArray().map(record)[0] ?? null;
  }

  /** Its file is gone from R2. */
  remove(server: string, type: RepositoryFileType, name: string): void {
    const gone = this.#sql.exec(
      "DELETE FROM repository_files WHERE server_id = ? AND type = ? AND name = ? RETURNING bytes",
      server,
      type,
      name,
    );
    const [row] = gone.toArray();
    if (row !== undefined) this.#sql.exec("UPDATE repository_sum SET bytes = bytes - ?", Number(row.bytes));
  }

  /** Bytes of a server's packs but for these. */
  bytesWithout(server: string, names: readonly string[]): number {
    const sql =
      "SELECT COALESCE(SUM(bytes), 0) AS bytes FROM repository_files WHERE server_id = ? AND type = 'data' AND name NOT IN (SELECT value FROM json_each(?))";
    return Number(this.#sql.exec(sql, server, JSON.stringify(names)).one().bytes);
  }

  /** Whether any file of a type came at that time or later. */
  newerThan(server: string, type: RepositoryFileType, since: Instant): boolean {
    const found = this.#sql.exec(
      "SELECT 1 FROM repository_files WHERE server_id = ? AND type = ? AND at >= ? LIMIT 1",
      server,
      type,
      since,
    );
    return found.toArray().length > 0;
  }

  count(server: string, type: RepositoryFileType): number {
    const row = this.#sql.exec("SELECT COUNT(*) AS n FROM repository_files WHERE server_id = ? AND type = ?", server, type).one();
    return Number(row.n);
  }

  /** Whether a server has a repository, or the beginning of one. */
  has(server: string): boolean {
    return this.#sql.exec("SELECT 1 FROM repository_files WHERE server_id = ? LIMIT 1", server).toArray().length > 0;
  }

  /** Bytes of all repositories. The sum is kept from the first question on: guilds without a quota never ask, and pay no row for it. */
  sum(): number {
    const [kept] = this.#sql.exec("SELECT bytes FROM repository_sum").toArray();
    if (kept !== undefined) return Number(kept.bytes);
    const first = "INSERT INTO repository_sum (one, bytes) SELECT 1, COALESCE(SUM(bytes), 0) FROM repository_files RETURNING bytes";
    return Number(this.#sql.exec(first).one().bytes);
  }

  /** Of one server, or of all. Reads a row a file. */
  usage(server: string | null): RepositoryUsage {
    const row = this.#sql
      .exec(
        `SELECT COUNT(*) FILTER (WHERE type = 'snapshots') AS snapshots, COUNT(*) FILTER (WHERE type = 'data') AS packs,
           COALESCE(SUM(bytes), 0) AS bytes FROM repository_files WHERE ?1 IS NULL OR server_id = ?1`,
        server,
      )
      .one();
    return { snapshots: Number(row.snapshots), packs: Number(row.packs), bytes: Number(row.bytes) };
  }
}

function record(row: Record<string, SqlStorageValue>): RepositoryFile {
  return {
    server: String(row.server_id),
    type: row.type as RepositoryFileType,
    name: String(row.name),
    bytes: Number(row.bytes),
    at: Number(row.at),
    putBy: String(row.put_by),
  };
}
