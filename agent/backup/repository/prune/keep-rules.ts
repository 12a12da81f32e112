import { type KeepContext, type KeepRules, keepReasons } from "../../../../schemas/keep-rules.ts";
import type { Snapshot } from "../format/snapshot.ts";
import { newestFirst, timeNs } from "../snapshots.ts";

export interface KeepDecision {
  keep: { snapshot: Snapshot; reasons: string[] }[];
  remove: Snapshot[];
}

/** Without any rule everything stays. Newest first. */
export function applyKeepRules(snapshots: readonly Snapshot[], rules: KeepRules, context: KeepContext): KeepDecision {
  const sorted = [...snapshots].sort(newestFirst);
  const all = keepReasons(
    sorted.map((snapshot) => ({ at: msOf(snapshot), tags: snapshot.tags ?? [] })),
    rules,
    context,
  );
  const decision: KeepDecision = { keep: [], remove: [] };
  for (const [position, snapshot] of sorted.entries()) {
    const reasons = all?.[position] ?? [];
    if (all === null || reasons.length > 0) decision.keep.push({ snapshot, reasons });
    else decision.remove.push(snapshot);
  }
  return decision;
}

function msOf({ time }: Snapshot): number {
  return Number(timeNs(time) / 1_000_000n);
}

export type GroupBy = "host" | "paths" | "tags";

/** Rules count within a group: by default, snapshots of the same host and the same paths. */
export function groupSnapshots(snapshots: readonly Snapshot[], by: readonly GroupBy[] = ["host", "paths"]): Snapshot[][] {
  const groups = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    const { hostname, paths, tags = [] } = snapshot;
    const parts = { host: hostname, paths: [...paths].sort(), tags: [...tags].sort() };
    const key = JSON.stringify(by.map((part) => parts[part]));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [snapshot]);
    else group.push(snapshot);
  }
  return [...groups.values()];
}
