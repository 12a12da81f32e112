import type { Snapshot } from "../../backup/repository/format/snapshot.ts";
import { type SnapshotSize, SnapshotSizes } from "../../backup/repository/list/sizes.ts";
import type { Repository } from "../../backup/repository/repository.ts";
import { matchesFilter, newestFirst, type SnapshotFilter } from "../../backup/repository/snapshots.ts";
import { formatBytes } from "../../config/check-text.ts";
import { type Io, printJson, printLine } from "../io.ts";
import { countText } from "../text.ts";
import { withRepository } from "./open.ts";
import { type RepositoryOptions, SHORT_ID } from "./options.ts";

/** Which snapshots a command is about. */
export interface FilterOptions {
  host?: string;
  path?: string[];
  tag?: string[];
}

export interface SnapshotsOptions extends RepositoryOptions, FilterOptions {
  /** Also count files and bytes of each. */
  size?: boolean;
}

export function filterOf({ host, path, tag }: FilterOptions): SnapshotFilter {
  return { hostname: host, paths: path, tags: tag };
}

/** Snapshots that match, oldest first. */
export async function snapshotsOf(repository: Repository, filter: SnapshotFilter, signal: AbortSignal): Promise<Snapshot[]> {
  const all: Snapshot[] = [];
  for await (const snapshot of repository.snapshots(signal)) if (matchesFilter(snapshot, filter)) all.push(snapshot);
  return all.sort(newestFirst).reverse();
}

/** `reconsync repository snapshots`: oldest first, so that the newest stands right above the prompt. */
export function snapshotsCommand(options: SnapshotsOptions, io: Io): Promise<void> {
  return withRepository(options, io, async (repository, { signal }) => {
    const snapshots = await snapshotsOf(repository, filterOf(options), signal);
    const sizes = options.size === true ? await sizesOf(repository, snapshots, signal) : undefined;
    if (options.json === true)
      printJson(
        io.out,
        snapshots.map((snapshot) => ({ ...snapshot, ...sizes?.get(snapshot) })),
      );
    else for (const snapshot of snapshots) printLine(io.out, lineOf(snapshot, sizes?.get(snapshot)));
    if (options.json !== true) printLine(io.err, countText(snapshots.length, "snapshot"));
  });
}

async function sizesOf(repository: Repository, snapshots: readonly Snapshot[], signal: AbortSignal): Promise<Map<Snapshot, SnapshotSize>> {
  await repository.loadIndex(signal);
  const counter = new SnapshotSizes(repository);
  const sizes = new Map<Snapshot, SnapshotSize>();
  for (const snapshot of snapshots) sizes.set(snapshot, await counter.of(snapshot, signal));
  return sizes;
}

function lineOf({ id, time, hostname, paths, tags }: Snapshot, size: SnapshotSize | undefined): string {
  const counted = size === undefined ? [] : [`${countText(size.files, "file")}, ${formatBytes(size.bytes)}`];
  const tagged = tags === undefined || tags.length === 0 ? [] : [`[${tags.join(", ")}]`];
  return [id.slice(0, SHORT_ID), time.slice(0, 19).replace("T", " "), hostname, paths.join(", "), ...counted, ...tagged].join("  ");
}
