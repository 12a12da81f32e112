import type { AuditHead, Instant } from "../../schemas/index.ts";
import type { AuditFilter, AuditRecord } from "./audit.ts";
import { auditPublicKey, signAuditMark } from "./audit-key.ts";
import type { Tables } from "./tables.ts";

/** Rows on one page of `/audit`. */
export const AUDIT_PER_PAGE = 10;

export interface AuditView {
  rows: AuditRecord[];
  page: number;
  pages: number;
  count: number;
  filter: AuditFilter;
  /** Names of hosts by their id. */
  hosts: Record<string, string>;
  publicKey: string;
}

export interface AuditDeskParts {
  tables: Tables;
  storage: DurableObjectStorage;
  secret: string;
  now: () => Instant;
}

/** Shows, exports and trims the audit log. */
export class AuditDesk {
  readonly #parts: AuditDeskParts;

  constructor(parts: AuditDeskParts) {
    this.#parts = parts;
  }

  async page(filter: AuditFilter, wanted: number): Promise<AuditView> {
    const { tables, secret } = this.#parts;
    const count = tables.audit.page(filter, { limit: 0, offset: 0 }).count;
    const pages = Math.max(1, Math.ceil(count / AUDIT_PER_PAGE));
    const page = Math.min(Math.max(0, wanted), pages - 1);
    const { rows } = tables.audit.page(filter, { limit: AUDIT_PER_PAGE, offset: page * AUDIT_PER_PAGE });
    const ids = new Set(rows.flatMap(({ entry }) => [entry.host, entry.actor.replace(/^host /, "")]).filter((id) => id !== undefined));
    const named = [...ids].map((id) => tables.hosts.byId(id)).filter((host) => host !== null);
    const publicKey = await auditPublicKey(secret, tables.settings.guild());
    return { rows, page, pages, count, filter, hosts: Object.fromEntries(named.map(({ id, name }) => [id, name])), publicKey };
  }

  /** The newest rows as JSON lines, closed by the signed head. */
  async file(): Promise<string> {
    const { tables, secret, now } = this.#parts;
    const { header, rows } = tables.audit.export(tables.settings.guild(), now());
    const { seq, hash } = rows.at(-1) ?? header.after;
    const head: AuditHead = { kind: "head", ...(await signAuditMark(secret, tables.settings.guild(), { seq, hash }, now())) };
    return [header, ...rows, head].map((line) => `${JSON.stringify(line)}\n`).join("");
  }

  /** Removes what is too old or too much. The checkpoint is signed before, and commits with the removal. */
  async trim(): Promise<void> {
    const { tables, storage, secret, now } = this.#parts;
    const place = tables.audit.overdue(now());
    if (place === null) return;
    const mark = await signAuditMark(secret, tables.settings.guild(), place, now());
    storage.transactionSync(() => tables.audit.trim(mark));
  }
}
