import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import type { BackupResult } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";

const row = z.object({ ref: z.string(), name: z.string() });

/** Archives that were begun and whose result is not safe in journal or outbox yet: what a crash leaves behind. See UploadJournal. */
export class UploadsTable {
  readonly #db: DatabaseSync;
  readonly #clock: Clock;

  constructor(db: DatabaseSync, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  begun(ref: string, server: string, name: string): void {
    this.#db
      .prepare("INSERT OR REPLACE INTO uploads (upload, server, name, begun_at) VALUES (?, ?, ?, ?)")
      .run(ref, server, name, this.#clock.now());
  }

  ended(ref: string): void {
    this.#db.prepare("DELETE FROM uploads WHERE upload = ?").run(ref);
  }

  /** The result that tells of an archive is safe. Call it in the transaction that makes it so. */
  told(backup: BackupResult): void {
    if (backup.format !== "zip") return;
    this.#db.prepare("DELETE FROM uploads WHERE server = ? AND name = ?").run(backup.server, backup.archive);
  }

  /** Oldest first. */
  open(server: string): { ref: string; name: string }[] {
    const rows = this.#db.prepare("SELECT upload AS ref, name FROM uploads WHERE server = ? ORDER BY begun_at, upload").all(server);
    return rows.map((found) => row.parse(found));
  }

  clear(): void {
    this.#db.exec("DELETE FROM uploads");
  }
}
