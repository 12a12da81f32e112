import type { Instant, Report } from "../../schemas/index.ts";
import { uploadOf } from "./backups.ts";
import type { HostCall } from "./host-call.ts";
import type { IncidentKind, IncidentState } from "./incident-rules.ts";
import { noteIncident } from "./incident-rules.ts";
import { OWNER_CHANNEL } from "./owner-channel.ts";
import type { Tables } from "./tables.ts";

/**
 * Counts are written at most so often, in milliseconds: whoever attacks must not use up the rows of Cloudflare's free plan. When the
 * object is evicted in between, what came since is forgotten.
 */
export const WRITE_EVERY_MS = 15_000;

export interface SecurityDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  now: () => Instant;
}

/** What a host says is its own. */
export interface Named {
  jobs?: readonly string[];
  upload?: string | undefined;
  server?: string;
}

/** The security monitor: counts what should not happen, and tells the guild's owner when it happens too often. */
export class SecurityDesk {
  readonly #parts: SecurityDeskParts;
  readonly #known = new Map<IncidentKind, { state: IncidentState; writtenAt: Instant }>();

  constructor(parts: SecurityDeskParts) {
    this.#parts = parts;
  }

  /** Counts it when a host names what belongs to another one of the guild. What does not exist belongs to nobody. */
  touched({ host }: HostCall, { jobs = [], upload, server }: Named): void {
    const { tables } = this.#parts;
    const owners = jobs.map((job) => tables.jobs.byId(job)?.host);
    if (upload !== undefined) owners.push(tables.uploads.byId(upload)?.host);
    if (server !== undefined) owners.push(tables.servers.byId(server)?.host);
    if (owners.some((owner) => owner !== undefined && owner !== host)) this.note("foreign-object", `host ${host}`);
  }

  /** Counts `count` of a kind. `who` is `host ID`, `member ID` or `address 192.0.2.1`. */
  note(kind: IncidentKind, who: string, count = 1): void {
    const { storage, tables } = this.#parts;
    const now = this.#parts.now();
    const known = this.#known.get(kind) ?? { state: tables.incidents.byKind(kind), writtenAt: 0 };
    const { state, tell } = noteIncident(kind, known.state, { who, count }, now);
    const write = tell !== null || Math.abs(now - known.writtenAt) >= WRITE_EVERY_MS;
    this.#known.set(kind, { state, writtenAt: write ? now : known.writtenAt });
    if (!write) return;
    storage.transactionSync(() => {
      tables.incidents.set(kind, state);
      if (tell === null) return;
      tables.audit.write({ kind: "security", actor: "guild", allowedBy: null, change: { incident: kind, ...tell } }, now);
      tables.messages.post({ kind: "notice", notice: { kind: "security", incident: kind, ...tell } }, OWNER_CHANNEL, now);
    });
    if (tell !== null) console.warn({ message: "a security incident", incident: kind, ...tell });
  }
}

export function namesIn(report: Report): Named {
  if (report.kind === "verification") return { server: report.verification.server };
  return report.kind === "backup"
    ? { server: report.result.server, upload: uploadOf(report.result) ?? undefined }
    : { server: report.run.server };
}

/** An address as one who took part. */
export function addressed(address: string | null): string {
  return `address ${address ?? "unknown"}`;
}
