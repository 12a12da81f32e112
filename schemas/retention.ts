import { decideRetention, policyOfHost, type RetainedBackup } from "./retention-policy.ts";

/** A backup as a store's own retention sees it. */
export type KeptBackup<Id = string> = Pick<RetainedBackup<Id>, "id" | "at" | "good" | "torn">;

export interface KeepRule {
  /** So many of the newest good backups are kept; less than 1 counts as 1. */
  keepLast: number;
  /** Whatever is younger than so many days is kept as well, counted from the newest. */
  keepDays?: number;
}

/** Which backups may go by what a host's config says, oldest first. */
export function expired<Id>(backups: readonly KeptBackup<Id>[], keep: KeepRule, now: number): Id[] {
  return decideRetention(backups, policyOfHost(keep), now).gone;
}
