import { type PruneReport, prune } from "../../backup/repository/prune/run.ts";
import type { Repository } from "../../backup/repository/repository.ts";
import { systemClock } from "../../clock.ts";
import { formatBytes } from "../../config/check-text.ts";
import { type Io, printJson, printLine } from "../io.ts";
import { ProgressView } from "../progress-view.ts";
import { countText, durationText } from "../text.ts";
import { withRepository } from "./open.ts";
import { counted, type RepositoryOptions } from "./options.ts";

export interface PruneCommandOptions extends RepositoryOptions {
  /** From 0 to 1. */
  maxUnused?: number;
  dryRun?: boolean;
}

/** `reconsync repository prune`. */
export function pruneCommand(options: PruneCommandOptions, io: Io): Promise<void> {
  const work = async (repository: Repository, { signal }: { signal: AbortSignal }) => {
    const report = await pruneShown(repository, options, io, signal);
    if (options.json === true) printJson(io.out, report);
    else tellPruned(report, io);
  };
  return withRepository(options, io, work, { strict: true });
}

export async function pruneShown(
  repository: Repository,
  { maxUnused, dryRun = false }: Pick<PruneCommandOptions, "maxUnused" | "dryRun">,
  io: Io,
  signal: AbortSignal,
): Promise<PruneReport> {
  const view = new ProgressView(io.err, () => performance.now());
  return prune(repository, {
    clock: systemClock,
    maxUnusedShare: maxUnused,
    dryRun,
    report: (progress) => view.show(counted(progress)),
    signal,
  }).finally(() => view.clear());
}

export function tellPruned(report: PruneReport, io: Io): void {
  const { dryRun, bytesFreed, bytesUsed, bytesUnused, packsRemoved, packsRepacked, packsKept, ms } = report;
  const [freed, packs] = dryRun ? ["would free", "would go"] : ["freed", "gone"];
  printLine(
    io.out,
    `${freed} ${formatBytes(bytesFreed)}: ${countText(packsRemoved, "pack")} ${packs}, ${packsRepacked} packed anew, ${packsKept} kept; ${durationText(ms)}`,
  );
  printLine(io.out, `${formatBytes(bytesUsed)} are needed by snapshots, ${formatBytes(bytesUnused)} are not and stay for now`);
}
