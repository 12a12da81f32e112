import type { RestoreChange, RestorePlan } from "../../schemas/index.ts";
import { PLAN_SAMPLE_MAX } from "../../schemas/index.ts";
import { type PresentEntry, placeKey } from "./present.ts";
import type { Scope, Standing } from "./scope.ts";
import type { SourceEntry } from "./source.ts";

/** What a restore would do, as far as sizes and times tell. */
export type Comparison = Pick<RestorePlan, "added" | "changed" | "removed" | "same" | "sample"> & {
  /** Content of all files that are restored, in bytes. */
  restoredBytes: number;
  restoredFiles: number;
};

/** Times may differ by so much and still be the same, in milliseconds: file systems and formats round them. */
const TIME_TOLERANCE_MS = 10;
/** Longest path that a plan names, in characters (schemas/restore.ts). */
const PATH_MAX = 500;

interface Known {
  path: string;
  bytes: number;
  mtimeMs: number;
  type: SourceEntry["type"];
  governed: boolean;
}

/**
 * Compares a backup with what is there. Both come in any order; of what is there, one small record a file is held in memory.
 * @param now What is there; null when the restore goes to a folder of its own.
 */
export async function compare(
  source: AsyncIterable<SourceEntry>,
  now: AsyncIterable<PresentEntry> | null,
  scope: Scope,
): Promise<Comparison> {
  const there = now === null ? new Map<string, Known>() : await chosenFiles(now);
  const tally = new Tally();
  const standings = new Map<string, Standing>([["", scope.top]]);
  for await (const entry of source) {
    const above = entry.path.slice(0, Math.max(0, entry.path.lastIndexOf("/")));
    const standing = scope.below(standings.get(above) ?? scope.top, entry.path);
    if (entry.type === "directory") standings.set(entry.path, standing);
    if (!standing.chosen || entry.type === "directory") continue;
    const key = placeKey(entry.place);
    const known = there.get(key);
    there.delete(key);
    tally.restored(entry);
    if (known === undefined) tally.count("added", entry);
    else tally.count(isSame(known, entry) ? "same" : "changed", entry);
  }
  for (const left of there.values()) if (left.governed) tally.count("removed", left);
  return tally.result();
}

async function chosenFiles(now: AsyncIterable<PresentEntry>): Promise<Map<string, Known>> {
  const files = new Map<string, Known>();
  for await (const { governed, chosen, stats, key, path } of now) {
    if (!chosen || stats.isDirectory()) continue;
    const type = stats.isFile() ? "file" : stats.isSymbolicLink() ? "symlink" : "special";
    files.set(key, { path, type, governed, bytes: type === "file" ? Number(stats.size) : 0, mtimeMs: Number(stats.mtimeNs) / 1e6 });
  }
  return files;
}

function isSame(there: Known, wanted: SourceEntry): boolean {
  return there.type === wanted.type && there.bytes === wanted.bytes && Math.abs(there.mtimeMs - wanted.mtimeMs) <= TIME_TOLERANCE_MS;
}

type Kind = "added" | "changed" | "removed" | "same";

class Tally {
  readonly #changes: Record<Kind, RestoreChange> = {
    added: { files: 0, bytes: 0 },
    changed: { files: 0, bytes: 0 },
    removed: { files: 0, bytes: 0 },
    same: { files: 0, bytes: 0 },
  };
  readonly #samples: Record<Exclude<Kind, "same">, RestorePlan["sample"]> = { added: [], changed: [], removed: [] };
  #bytes = 0;
  #files = 0;

  restored({ bytes }: SourceEntry): void {
    this.#files += 1;
    this.#bytes += bytes;
  }

  count(kind: Kind, { path, bytes }: Pick<Known, "path" | "bytes">): void {
    const change = this.#changes[kind];
    change.files += 1;
    change.bytes += bytes;
    if (kind !== "same" && this.#samples[kind].length < PLAN_SAMPLE_MAX) {
      this.#samples[kind].push({ path: path.slice(0, PATH_MAX), change: kind, bytes });
    }
  }

  /** Of each kind a third, and more where another has less. */
  result(): Comparison {
    const { changed, removed, added } = this.#samples;
    const each = Math.floor(PLAN_SAMPLE_MAX / 3);
    const first = [changed, removed, added].map((list) => list.slice(0, each));
    const rest = [changed, removed, added].flatMap((list) => list.slice(each));
    const spare = PLAN_SAMPLE_MAX - first.flat().length;
    const sample = [...first.flat(), ...rest.slice(0, spare)].sort((a, b) => (a.path < b.path ? -1 : 1));
    return { ...this.#changes, sample, restoredBytes: this.#bytes, restoredFiles: this.#files };
  }
}
