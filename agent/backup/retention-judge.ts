import type { ServerOrders } from "../../schemas/index.ts";
import { decideRetention, policyOfHost, type RetainedBackup } from "../../schemas/index.ts";
import type { KeepRule } from "../../schemas/retention.ts";
import { judgePlan } from "../../schemas/retention-brake.ts";
import { AgentError } from "../errors.ts";

/** A rule that keeps everything, whatever the guild says: for backups that go to a place of their own. */
export const KEEP_ALL: KeepRule = { keepLast: Number.MAX_SAFE_INTEGER };

/**
 * Which backups of a server may go, oldest first.
 * @throws AgentError `retention-frozen`: nothing may go
 */
export type RetentionJudge = (server: string, backups: readonly RetainedBackup[], keep: KeepRule, now: number) => string[];

/** What the guild has told this host of retention; see state/retention-table.ts. */
export interface KnownOrders {
  of(server: string): ServerOrders | undefined;
  /** Whether the last resume of a server has been made use of. */
  resumeUsed(server: string, resumedAt: number): boolean;
  useResume(server: string, resumedAt: number): void;
}

/** Without a guild: what the host's config says. */
export const ownJudge: RetentionJudge = (_, backups, keep, now) =>
  keep.keepLast === KEEP_ALL.keepLast ? [] : decideRetention(backups, policyOfHost(keep), now).gone;

/** By what the guild has set, as far as it has: its policy goes before the config's, and its pins, tags and brake hold in any case. */
export function judgeBy(orders: KnownOrders): RetentionJudge {
  return (server, backups, keep, now) => {
    if (keep.keepLast === KEEP_ALL.keepLast) return [];
    const known = orders.of(server);
    if (known === undefined) return ownJudge(server, backups, keep, now);
    if (known.frozen)
      throw frozen(`The brake is on: it was told in Discord why. "/backup retention resume server:${server}" lets it go on.`);
    const marks = new Map(known.marks.map((mark) => [mark.name, mark]));
    const marked = backups.map((backup): RetainedBackup => {
      const mark = marks.get(backup.id);
      if (mark === undefined) return backup;
      return {
        ...backup,
        pinned: mark.pinned === true,
        tags: mark.tags ?? [],
        ...(mark.safety === true ? { purpose: "safety" as const } : {}),
      };
    });
    const { gone } = decideRetention(marked, known.policy ?? policyOfHost(keep), now);
    if (known.policy !== undefined) allow(orders, server, known.resumedAt, backups.length, gone.length);
    return gone;
  };
}

/** A policy that was mistyped, or set by somebody who should not be able to, must not empty a disk at once. */
function allow(orders: KnownOrders, server: string, resumedAt: number | undefined, all: number, gone: number): void {
  if (judgePlan(all, gone).length === 0) return;
  if (resumedAt === undefined || orders.resumeUsed(server, resumedAt)) {
    const text = `${gone} of ${all} backups would go at once. Look at "/backup retention preview server:${server}"; "/backup retention resume server:${server}" allows it once.`;
    throw frozen(text);
  }
  orders.useResume(server, resumedAt);
}

function frozen(text: string): AgentError {
  return new AgentError("retention-frozen", text);
}
