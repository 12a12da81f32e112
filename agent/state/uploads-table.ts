import type { DatabaseSync } from "node:sqlite";
import * as z from "zod/mini";
import { type UploadId, uploadId } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";

const row = z.object({ upload: uploadId, name: z.string() });

/** Uploads that were begun and neither completed nor aborted: what a crash leaves behind on the control plane. */
export class UploadsTable {
  readonly #db: DatabaseSync;
  readonly #clock: Clock;

  constructor(db: DatabaseSync, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  begun(upload: UploadId, server: string, name: string): void {
    this.#db
      .prepare("INSERT OR REPLACE INTO uploads (upload, server, name, begun_at) VALUES (?, ?, ?, ?)")
      .run(upload, server, name, this.#clock.now());
  }

  ended(upload: UploadId): void {
    this.#db.prepare("DELETE FROM uploads WHERE upload = ?").run(upload);
  }

  /** Oldest first. */
  open(server: string): { upload: UploadId; name: string }[] {
    const rows = this.#db.prepare("SELECT upload, name FROM uploads WHERE server = ? ORDER BY begun_at, upload").all(server);
    return rows.map((found) => row.parse(found));
  }

  clear(): void {
    this.#db.exec("DELETE FROM uploads");
  }
}
