import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { retentionOrders, type ServerOrders } from "../../schemas/index.ts";
import type { KnownOrders } from "../backup/retention-judge.ts";

/** What orders of any version have. */
const named = z.object({ hash: z.string().check(z.maxLength(64)) });

/** What the guild said last of retention on this host. It holds on while the control plane is away. */
export class RetentionTable implements KnownOrders {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Names the orders that are known; empty for none. */
  get hash(): string {
    const row = this.#db.prepare("SELECT hash FROM retention_orders").get();
    return row === undefined ? "" : String(row.hash);
  }

  /** Keeps orders as they came. False when this version does not understand them: then nothing is removed until others come. */
  take(orders: unknown): boolean {
    const read = retentionOrders.safeParse(orders);
    const { hash } = read.success ? read.data : named.parse(orders);
    this.#db
      .prepare("INSERT INTO retention_orders (one, hash, body) VALUES (1, ?1, ?2) ON CONFLICT (one) DO UPDATE SET hash = ?1, body = ?2")
      .run(hash, read.success ? JSON.stringify(read.data) : null);
    return read.success;
  }

  of(server: string): ServerOrders | undefined {
    const row = this.#db.prepare("SELECT body FROM retention_orders").get();
    if (row === undefined) return undefined;
    if (row.body === null) return { server, frozen: true, marks: [] };
    return retentionOrders.parse(JSON.parse(String(row.body))).servers.find((one) => one.server === server);
  }

  resumeUsed(server: string, resumedAt: number): boolean {
    return this.#db.prepare("SELECT 1 FROM retention_resumes WHERE server = ? AND resumed_at >= ?").get(server, resumedAt) !== undefined;
  }

  useResume(server: string, resumedAt: number): void {
    this.#db
      .prepare("INSERT INTO retention_resumes (server, resumed_at) VALUES (?1, ?2) ON CONFLICT (server) DO UPDATE SET resumed_at = ?2")
      .run(server, resumedAt);
  }
}
