import type { BackupResult, Instant, RetentionDecision, RetentionPolicy } from "../../schemas/index.ts";
import { decideRetention, newTraceparent, PRUNE_FORGET_MAX, policyOfHost } from "../../schemas/index.ts";
import { BRAKE_DEFAULT, BRAKE_HISTORY, type BrakeReason, judgeNewest, judgePlan } from "../../schemas/retention-brake.ts";
import type { RetainedRow } from "./backups.ts";
import { BY_GUILD } from "./job-rules.ts";
import { OPEN_JOBS_PER_HOST_MAX } from "./queue-rules.ts";
import { CONFIRM_MS } from "./restore-rules.ts";
import type { FrozenReason } from "./retention-table.ts";
import type { Tables } from "./tables.ts";

/** Retention, after a backup has come in. Call these in the transaction of what they follow. */

/** What retention takes out of the lists stays in R2 for so long, in milliseconds, and can come back. */
export const GRACE_MS = 7 * 24 * 60 * 60_000;
/** While the brake is on, what waits for its removal is looked at again so often, in milliseconds. */
export const HELD_AGAIN_MS = 24 * 60 * 60_000;

/** A repository is pruned so often at most, in milliseconds. */
export const PRUNE_EVERY_MS = 24 * 60 * 60_000;

export type KeeperTables = Pick<Tables, "backups" | "uploads" | "servers" | "retention" | "notices" | "audit" | "jobs" | "restores">;

export interface EffectivePolicy {
  policy: RetentionPolicy;
  /** Who decided: members for this server, members for all servers, or the host's config. */
  from: "server" | "all" | "host";
  removeShare: number;
}

/** The backups of a server that retention looks at together: of one host, one format, in one kind of store. */
export type Shelf = Pick<BackupResult, "format" | "store"> & { server: string; host: string };

export interface RetentionPlan {
  rows: RetainedRow[];
  decision: RetentionDecision<string>;
  /** Why the brake would stop it. */
  tooMuch: BrakeReason[];
}

/** By which policy a server's backups are kept. Null for one that is gone and for which nobody has set any: everything stays. */
export function policyIn({ retention, servers }: Pick<KeeperTables, "retention" | "servers">, server: string): EffectivePolicy | null {
  const chosen = retention.policyFor(server);
  if (chosen !== null) {
    const { policy, removeShare } = chosen.set;
    return { policy, from: chosen.own ? "server" : "all", removeShare: removeShare ?? BRAKE_DEFAULT.removeShare };
  }
  const announced = servers.byId(server)?.retention;
  return announced === undefined ? null : { policy: policyOfHost(announced), from: "host", removeShare: BRAKE_DEFAULT.removeShare };
}

/**
 * Whether a shelf goes by a policy from there. Snapshots in R2 go by what members have set alone: until then all of them stay, since they share what they
 * hold, and a host's default of ten would leave little of a day.
 */
export function obeys({ format, store }: Pick<Shelf, "format" | "store">, from: EffectivePolicy["from"]): boolean {
  return from !== "host" || format !== "repository" || store !== "r2";
}

/** What a policy would do with a shelf now. */
export function planOf(
  { backups, retention }: Pick<KeeperTables, "backups" | "retention">,
  shelf: Shelf,
  effective: Omit<EffectivePolicy, "from">,
  now: Instant,
): RetentionPlan {
  const rows = backups.retained(shelf.server, shelf.host, shelf);
  const decision = decideRetention(rows, effective.policy, now);
  // What waits for a repository's next prune was let pass before, one backup at a time; under another policy all of it is looked at.
  const before =
    retention.judged(shelf.server) === judgedBy(shelf, effective.policy) ? decideRetention(rows.slice(1), effective.policy, now).gone : [];
  const pending = new Set(before);
  const fresh = decision.gone.filter((id) => !pending.has(id));
  const tooMuch = judgePlan(rows.length - pending.size, fresh.length, { ...BRAKE_DEFAULT, removeShare: effective.removeShare });
  return { rows, decision, tooMuch };
}

/** Judges the backup that just came in, and takes out of the lists what it replaces. A safety backup replaces nothing. */
export function retainAfter(tables: KeeperTables, host: string, { server, format, store, purpose }: BackupResult, now: Instant): void {
  if (purpose === "safety") return;
  const { backups, retention } = tables;
  const brake = retention.brake(server);
  if (brake !== null && brake.frozen !== null) return;
  const [newest, ...before] = backups.measures(server, host, format, { since: brake?.acceptedAt ?? 0, limit: BRAKE_HISTORY + 1 });
  const odd = newest === undefined ? [] : judgeNewest(newest, before);
  if (odd.length > 0) freeze(tables, server, odd, now);
  else carryOut(tables, { server, host, format, store }, now);
}

function judgedBy({ host, format, store }: Shelf, policy: RetentionPolicy): string {
  return format === "repository" && store === "r2" ? JSON.stringify([host, policy]) : "";
}

/** Takes out of the lists what the policy does not keep. `allowed`: a member has said that it may be much. */
export function carryOut(tables: KeeperTables, shelf: Shelf, now: Instant, allowed = false): void {
  // Elsewhere the host removes, by the same rules: it alone knows what is there.
  if (shelf.store !== "r2") return;
  const effective = policyIn(tables, shelf.server);
  if (effective === null || !obeys(shelf, effective.from)) return;
  const { rows, decision, tooMuch } = planOf(tables, shelf, effective, now);
  if (tooMuch.length > 0 && !allowed) {
    freeze(tables, shelf.server, tooMuch, now);
    return;
  }
  // What somebody is about to restore, or restores now.
  const inUse = tables.restores.backupsInUse(shelf.server, now - CONFIRM_MS);
  const going = decision.gone.filter((id) => !inUse.has(id));
  if (shelf.format === "repository") {
    tables.retention.setJudged(shelf.server, judgedBy(shelf, effective.policy));
    if (going.length > 0) askForPrune(tables, shelf, going, now);
    return;
  }
  const gone = new Set(going);
  for (const { id, upload } of rows.filter((row) => gone.has(row.id))) {
    tables.backups.markRemoved(id, now);
    if (upload !== null) tables.uploads.doom(upload, now + GRACE_MS);
  }
}

/** Asks the host for a prune that forgets these, once a day at most: it reads every tree of the repository. */
function askForPrune({ jobs, servers, backups }: KeeperTables, { server, host }: Shelf, gone: readonly string[], now: Instant): void {
  const record = servers.byId(server);
  if (record?.host !== host || record.prunes !== true) return;
  const last = jobs.newestOf(server, "prune");
  if ((last !== null && now - last < PRUNE_EVERY_MS) || jobs.queueLength(host).open >= OPEN_JOBS_PER_HOST_MAX) return;
  const forget = gone.slice(0, PRUNE_FORGET_MAX).flatMap((id) => {
    const backup = backups.byId(id);
    return backup?.format === "repository" ? [backup.snapshot] : [];
  });
  if (forget.length === 0) return;
  const asked = { kind: "prune" as const, host, server, payload: { server, forget }, message: null, requestedBy: BY_GUILD };
  jobs.add({ ...asked, key: `prune/${server}/${now}`, trace: newTraceparent() }, now);
}

/** Stops retention of a server until a member lets it go on, and tells so once. */
export function freeze({ retention, notices, audit }: KeeperTables, server: string, reasons: FrozenReason[], now: Instant): void {
  if (retention.isFrozen(server)) return;
  retention.freeze(server, reasons, now);
  audit.write({ kind: "retention", actor: "guild", allowedBy: null, server, change: { frozen: reasons } }, now);
  notices.tell(brakeKey(server), { kind: "retention-frozen", server, reasons, at: now, overAt: null, by: null }, now);
}

/** Under which a notice of the brake is kept. */
export function brakeKey(server: string): string {
  return `brake/${server}`;
}
