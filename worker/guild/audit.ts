import { createHash } from "node:crypto";
import type { AuditHeader, AuditMark, AuditRow, Instant } from "../../schemas/index.ts";
import { AUDIT_GENESIS, AUDIT_VERSION, auditRowText, canonicalJson } from "../../schemas/index.ts";

/** One thing that happened: who did what by which right, and what changed. */
export interface AuditEntry {
  kind: "command" | "refused" | "job" | "setting" | "grant" | "host" | "schedule" | "security" | "repository" | "restore" | "retention";
  /** `member ID`, `host ID`, `credential NUMBER`, or `guild` for what time alone did. */
  actor: string;
  /** The right that allowed it, as the decision named it; null where none was asked for. */
  allowedBy: string | null;
  command?: string;
  server?: string;
  host?: string;
  job?: string;
  /** What changed, small and without secrets. */
  change?: Record<string, unknown>;
}

export interface AuditRecord {
  seq: number;
  at: Instant;
  entry: AuditEntry;
}

export interface AuditFilter {
  /** Id of a member. */
  member?: string;
  server?: string;
}

/** Rows are kept so long, in milliseconds. */
export const AUDIT_KEEP_MS = 365 * 24 * 60 * 60_000;
/** And at most so many. */
export const AUDIT_KEEP_MAX = 20_000;
/** Trimming waits until so many rows are too many, or one is too old by so much, so that its signature and deletes come seldom. */
const TRIM_SLACK = 500;
const TRIM_SLACK_MS = 24 * 60 * 60_000;
/** A longer change is cut: a row is a note, not a store. In characters of JSON. */
const CHANGE_LENGTH_MAX = 2000;
/** Rows of an export in one text, in characters: Discord takes files of 10 MiB. */
export const EXPORT_LENGTH_MAX = 8 * 1024 * 1024;

/**
 * The log of who did what. Rows are only ever added, and each holds the hash of the one before; the oldest go by age and number, and then a
 * signed checkpoint says where the chain goes on.
 */
export class Audit {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Call it in the transaction of what it tells. */
  write(entry: AuditEntry, now: Instant): void {
    const last = this.last();
    const seq = last.seq + 1;
    const kept = bounded(entry);
    const hash = createHash("sha256")
      .update(auditRowText(last.hash, { seq, at: now, entry: kept }))
      .digest("hex");
    this.#sql.exec(
      "INSERT INTO audit (seq, at, actor, server_id, entry_json, hash) VALUES (?, ?, ?, ?, ?, ?)",
      ...[seq, now, kept.actor, kept.server ?? null, canonicalJson(kept), hash],
    );
  }

  /** The newest row's place in the chain. */
  last(): { seq: number; hash: string } {
    const row = this.#sql.exec("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").toArray()[0];
    if (row !== undefined) return { seq: Number(row.seq), hash: String(row.hash) };
    const checkpoint = this.checkpoint();
    return checkpoint === null ? { seq: 0, hash: AUDIT_GENESIS } : { seq: checkpoint.seq, hash: checkpoint.hash };
  }

  /** Newest first. */
  page({ member, server }: AuditFilter, { limit, offset }: { limit: number; offset: number }): { rows: AuditRecord[]; count: number } {
    const where = "WHERE (?1 IS NULL OR actor = ?1) AND (?2 IS NULL OR server_id = ?2)";
    const bindings = [member === undefined ? null : `member ${member}`, server ?? null];
    const rows = this.#sql.exec(`SELECT * FROM audit ${where} ORDER BY seq DESC LIMIT ?3 OFFSET ?4`, ...bindings, limit, offset).toArray();
    const count = Number(this.#sql.exec(`SELECT COUNT(*) AS n FROM audit ${where}`, ...bindings).one().n);
    return { rows: rows.map((row) => ({ seq: Number(row.seq), at: Number(row.at), entry: JSON.parse(String(row.entry_json)) })), count };
  }

  /** The newest rows that fit into one file, oldest first, without the head. */
  export(guild: string, now: Instant): { header: AuditHeader; rows: AuditRow[] } {
    const rows: AuditRow[] = [];
    let length = 0;
    for (const row of this.#sql.exec("SELECT * FROM audit ORDER BY seq DESC")) {
      const text = String(row.entry_json);
      length += text.length + 200;
      if (length > EXPORT_LENGTH_MAX) break;
      rows.unshift({ kind: "row", seq: Number(row.seq), at: Number(row.at), entry: JSON.parse(text), hash: String(row.hash) });
    }
    const first = rows[0]?.seq ?? this.last().seq + 1;
    const header = { kind: "header" as const, version: AUDIT_VERSION as 1, guild, exportedAt: now, after: this.#before(first) };
    return { header: { ...header, checkpoint: this.checkpoint() }, rows };
  }

  /** The last row that has to go, when enough of them have to; null otherwise. */
  overdue(now: Instant): { seq: number; hash: string } | null {
    const { seq: newest } = this.last();
    const oldest = this.#sql.exec("SELECT seq, at FROM audit ORDER BY seq LIMIT 1").toArray()[0];
    if (oldest === undefined) return null;
    const tooMany = newest - AUDIT_KEEP_MAX;
    const full = tooMany >= Number(oldest.seq) + TRIM_SLACK;
    const stale = Number(oldest.at) < now - AUDIT_KEEP_MS - TRIM_SLACK_MS;
    if (!full && !stale) return null;
    const old = this.#sql.exec("SELECT seq FROM audit WHERE at < ? ORDER BY seq DESC LIMIT 1", now - AUDIT_KEEP_MS).toArray()[0];
    return this.#before(Math.max(tooMany, Number(old?.seq ?? 0)) + 1);
  }

  /** Removes the rows up to a mark that was signed for them. */
  trim(mark: AuditMark): void {
    this.#sql.exec("DELETE FROM audit WHERE seq <= ?", mark.seq);
    this.#sql.exec("INSERT OR REPLACE INTO audit_checkpoint (one, mark_json) VALUES (1, ?)", JSON.stringify(mark));
  }

  checkpoint(): AuditMark | null {
    const row = this.#sql.exec("SELECT mark_json FROM audit_checkpoint").toArray()[0];
    return row === undefined ? null : (JSON.parse(String(row.mark_json)) as AuditMark);
  }

  /** The place in the chain before a row. */
  #before(seq: number): { seq: number; hash: string } {
    const row = this.#sql.exec("SELECT seq, hash FROM audit WHERE seq = ?", seq - 1).toArray()[0];
    if (row !== undefined) return { seq: seq - 1, hash: String(row.hash) };
    const checkpoint = this.checkpoint();
    return checkpoint?.seq === seq - 1 ? { seq: checkpoint.seq, hash: checkpoint.hash } : { seq: 0, hash: AUDIT_GENESIS };
  }
}

function bounded(entry: AuditEntry): AuditEntry {
  const text = JSON.stringify(entry.change ?? {});
  return text.length <= CHANGE_LENGTH_MAX ? entry : { ...entry, change: { cut: text.slice(0, CHANGE_LENGTH_MAX) } };
}
