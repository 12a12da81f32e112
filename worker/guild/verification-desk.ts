import type { Instant, Report, Verification } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import type { Tables } from "./tables.ts";
import type { FailedCheckNotice, UnprovenNotice } from "./verification-rules.ts";
import { afterFailed, endOf, unprovenSince } from "./verification-rules.ts";

export type VerificationReport = Extract<Report, { kind: "verification" }>;

export interface VerificationDeskParts {
  storage: DurableObjectStorage;
  tables: Tables;
  now: () => Instant;
}

/** What hosts tell of whether backups can be restored. What belongs together commits together. */
export class VerificationDesk {
  readonly #parts: VerificationDeskParts;

  constructor(parts: VerificationDeskParts) {
    this.#parts = parts;
  }

  /** Takes each report once. `taken` is false for one that came before, or behind a newer one. */
  report(host: string, { verification }: VerificationReport): { taken: boolean } | Refusal {
    const { storage, tables, now } = this.#parts;
    const { server, check, outcome } = verification;
    const owner = tables.servers.byId(server);
    if (owner !== null && owner.host !== host) return refuse("server-not-yours", { server });
    return storage.transactionSync(() => {
      const last = tables.verifications.of(server, check);
      if (last?.host === host && last.verification.startedAt >= verification.startedAt) return { taken: false };
      tables.verifications.put(host, check, verification, now());
      if (check === "drill" && outcome === "passed") tables.verifications.put(host, "proven", verification, now());
      if (outcome === "failed") this.#tellFailure(host, verification);
      else if (outcome === "passed") this.#tellSuccess(verification);
      this.#judgeProof(host, verification);
      return { taken: true };
    });
  }

  #tellFailure(host: string, verification: Verification): void {
    const { tables, now } = this.#parts;
    const key = failedCheckKey(verification);
    const told = this.#failure(key);
    const notice = afterFailed(told, host, verification);
    if (notice.count > 1) tables.notices.change(key, notice, now());
    else tables.notices.tell(key, notice, now());
  }

  /** Says in the message of a failure that it passes again. */
  #tellSuccess(verification: Verification): void {
    const { tables, now } = this.#parts;
    const key = failedCheckKey(verification);
    const told = this.#failure(key);
    if (told !== null && told.overAt === null) tables.notices.change(key, { ...told, overAt: endOf(verification) }, now());
  }

  /** Each report is an occasion to look: a host that sends none any more is told of as offline, or its backups as missed. */
  #judgeProof(host: string, { server, drillsSince }: Verification): void {
    const { tables, now } = this.#parts;
    const key = unprovenKey(server);
    const told = tables.notices.of(key)?.notice;
    const open: UnprovenNotice | null = told?.kind === "unproven" && told.overAt === null ? told : null;
    const proven = tables.verifications.of(server, "proven")?.verification ?? null;
    const since = unprovenSince(drillsSince, proven, now());
    if (since === null) {
      if (open !== null) tables.notices.change(key, { ...open, overAt: now(), ...(drillsSince === undefined && { off: true }) }, now());
      return;
    }
    if (open !== null) return;
    const drill = tables.verifications.of(server, "drill")?.verification;
    const notice: UnprovenNotice = {
      ...{ kind: "unproven", host, server, since, ever: proven !== null && endOf(proven) === since },
      ...{ reason: drill?.reason ?? null, at: now(), overAt: null },
    };
    tables.notices.tell(key, notice, now());
  }

  #failure(key: string): FailedCheckNotice | null {
    const told = this.#parts.tables.notices.of(key)?.notice;
    return told?.kind === "verification-failed" ? told : null;
  }
}

export function failedCheckKey({ server, check }: Pick<Verification, "server" | "check">): string {
  return `verify/${server}/${check}`;
}

export function unprovenKey(server: string): string {
  return `unproven/${server}`;
}
