import type { Instant, RepositoryFileType } from "../../schemas/index.ts";

/** Types of which a prune hides files. */
export type PrunedType = "snapshots" | "index" | "data";
export type PrunedNames = Record<PrunedType, string[]>;

/** What one prune took out of sight. `removing`: its removal has begun, and nothing of it comes back. */
export interface PruneRecord {
  id: number;
  server: string;
  host: string;
  hiddenAt: Instant;
  /** When it is removed, or looked at again. */
  dueAt: Instant;
  state: "waiting" | "removing";
  names: PrunedNames;
}

/**
 * Prunes whose files are hidden and still there. One row a prune, with all its names: a row a file would cost the free plan's rows. Names are read once while
 * the object is awake.
 */
export class RepositoryPrunes {
  readonly #sql: SqlStorage;
  /** Hidden files of each server that was asked about, as `TYPE/NAME`. */
  readonly #hidden = new Map<string, ReadonlySet<string>>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  add(prune: Omit<PruneRecord, "id" | "state">): void {
    const { server, host, hiddenAt, dueAt, names } = prune;
    this.#sql.exec(
      "INSERT INTO repository_prunes (server_id, host_id, hidden_at, due_at, state, names_json) VALUES (?, ?, ?, ?, 'waiting', ?)",
      ...[server, host, hiddenAt, dueAt, JSON.stringify(names)],
    );
    this.#hidden.delete(server);
  }

  /** Oldest first. */
  of(server: string): PruneRecord[] {
    return this.#select("WHERE server_id = ? ORDER BY id", server);
  }

  all(): PruneRecord[] {
    return this.#select("ORDER BY id");
  }

  isHidden(server: string, type: RepositoryFileType, name: string): boolean {
    return this.#of(server).has(`${type}/${name}`);
  }

  /** Names of one type that are hidden. */
  hidden(server: string, type: RepositoryFileType): string[] {
    const prefix = `${type}/`;
    return [...this.#of(server)].filter((one) => one.startsWith(prefix)).map((one) => one.slice(prefix.length));
  }

  /** The oldest of a server whose time has come. */
  due(now: Instant): PruneRecord | null {
    // Later ones stand on earlier ones: they go in their order.
    const first = this.#select(
      "WHERE id IN (SELECT MIN(id) FROM repository_prunes GROUP BY server_id) AND due_at <= ? ORDER BY due_at",
      now,
    );
    return first[0] ?? null;
  }

  nextDue(): Instant | null {
    const { at } = this.#sql
      .exec("SELECT MIN(due_at) AS at FROM repository_prunes WHERE id IN (SELECT MIN(id) FROM repository_prunes GROUP BY server_id)")
      .one();
    return at === null ? null : Number(at);
  }

  putOff(id: number, until: Instant): void {
    this.#sql.exec("UPDATE repository_prunes SET due_at = ? WHERE id = ?", until, id);
  }

  removing(id: number): void {
    this.#sql.exec("UPDATE repository_prunes SET state = 'removing' WHERE id = ?", id);
  }

  /** What is left to remove; a prune of which nothing is left is over. */
  keepOnly({ id, server }: Pick<PruneRecord, "id" | "server">, left: PrunedNames): void {
    if (Object.values(left).every((names) => names.length === 0)) this.remove({ id, server });
    else this.#sql.exec("UPDATE repository_prunes SET names_json = ? WHERE id = ?", JSON.stringify(left), id);
    this.#hidden.delete(server);
  }

  /** Its files are in sight again, or gone. */
  remove({ id, server }: Pick<PruneRecord, "id" | "server">): void {
    this.#sql.exec("DELETE FROM repository_prunes WHERE id = ?", id);
    this.#hidden.delete(server);
  }

  #of(server: string): ReadonlySet<string> {
    const known = this.#hidden.get(server);
    if (known !== undefined) return known;
    const hidden = new Set(
      this.of(server).flatMap(({ names }) =>
        (["snapshots", "index", "data"] as const).flatMap((type) => names[type].map((name) => `${type}/${name}`)),
      ),
    );
    this.#hidden.set(server, hidden);
    return hidden;
  }

  #select(where: string, ...bindings: unknown[]): PruneRecord[] {
    return this.#sql
      .exec(`SELECT * FROM repository_prunes ${where}`, ...bindings)
      .toArray()
      .map((row) => ({
        id: Number(row.id),
        server: String(row.server_id),
        host: String(row.host_id),
        hiddenAt: Number(row.hidden_at),
        dueAt: Number(row.due_at),
        state: row.state as PruneRecord["state"],
        names: JSON.parse(String(row.names_json)) as PrunedNames,
      }));
  }
}
