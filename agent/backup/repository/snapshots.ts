import { AgentError } from "../../errors.ts";
import { parseTime } from "./format/go-time.ts";
import type { Snapshot } from "./format/snapshot.ts";

/** Digits of an id that a person has to give at least. */
const PREFIX_MIN = 4;
const PREFIX = /^[0-9a-f]{4,64}$/;
/** So many of several matches are named. */
const NAMED_MAX = 5;

export interface SnapshotFilter {
  hostname?: string;
  /** The snapshot has each of these. */
  paths?: readonly string[];
  /** The snapshot has each of these. */
  tags?: readonly string[];
}

export function matchesFilter(snapshot: Snapshot, { hostname, paths = [], tags = [] }: SnapshotFilter): boolean {
  return (
    (hostname === undefined || snapshot.hostname === hostname) &&
    paths.every((path) => snapshot.paths.includes(path)) &&
    tags.every((tag) => (snapshot.tags ?? []).includes(tag))
  );
}

/** Nanoseconds since the epoch of the time that a decoded snapshot or lock has. */
export function timeNs(time: string): bigint {
  return parseTime(time) ?? 0n;
}

/** Newest first; of the same time, by id. */
export function newestFirst(a: Snapshot, b: Snapshot): number {
  const [left, right] = [timeNs(a.time), timeNs(b.time)];
  if (left !== right) return left < right ? 1 : -1;
  return a.id < b.id ? -1 : 1;
}

/**
 * The name that a person's prefix stands for.
 * @throws AgentError `snapshot-missing`, `snapshot-ambiguous`
 */
export function nameByPrefix(prefix: string, names: readonly string[]): string {
  if (!PREFIX.test(prefix)) {
    throw new AgentError(
      "snapshot-missing",
      `"${prefix}" is no snapshot: give "latest", or at least the first ${PREFIX_MIN} digits of a snapshot's id.`,
    );
  }
  const [first, second] = names.filter((name) => name.startsWith(prefix));
  if (first === undefined) {
    throw new AgentError("snapshot-missing", `No snapshot begins with ${prefix}. "reconsync repository snapshots" lists those there are.`);
  }
  if (second === undefined) return first;
  const some = names.filter((name) => name.startsWith(prefix)).slice(0, NAMED_MAX);
  throw new AgentError("snapshot-ambiguous", `Several snapshots begin with ${prefix}: ${some.join(", ")}. Give more digits.`);
}
