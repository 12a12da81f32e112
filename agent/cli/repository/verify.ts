import { Repository } from "../../backup/repository/repository.ts";
import type { VerifyProblem, VerifyReport } from "../../backup/repository/verify/report.ts";
import { verify } from "../../backup/repository/verify/run.ts";
import { systemClock } from "../../clock.ts";
import { formatBytes } from "../../config/check-text.ts";
import { EXIT } from "../../errors.ts";
import { type Io, printJson, printLine } from "../io.ts";
import { ProgressView } from "../progress-view.ts";
import { countText, durationText } from "../text.ts";
import { printable } from "./ls.ts";
import { underReadLock, withStore } from "./open.ts";
import { counted, type RepositoryContext, type RepositoryOptions, SHORT_ID } from "./options.ts";

export interface RepositoryVerifyOptions extends RepositoryOptions {
  readData?: boolean;
  /** From 0 to 1. */
  readDataShare?: number;
}

const DAY_MS = 24 * 60 * 60_000;

/** `reconsync repository verify`: looks at the store itself, whatever this host has cached. */
export function repositoryVerifyCommand(options: RepositoryVerifyOptions, { io, exit }: RepositoryContext): Promise<void> {
  return withStore(options, io, async ({ store, password, signal }) => {
    // What is damaged is found again and told by the verification.
    const repository = await Repository.open(store, password, { signal, onDamaged: () => undefined });
    const view = new ProgressView(io.err, () => performance.now());
    const report = await underReadLock(repository, { io, signal, lock: options.lock }, (locked) =>
      verify(repository, {
        readData: options.readData === true ? true : (options.readDataShare ?? false),
        // Another part each day, and in turn all of it.
        turn: Math.floor(systemClock.now() / DAY_MS),
        report: (progress) => view.show(counted(progress)),
        signal: locked,
      }),
    ).finally(() => view.clear());
    if (options.json === true) printJson(io.out, report);
    else tell(report, store.place, io);
    exit(report.ok ? EXIT.ok : EXIT.badData);
  });
}

function tell(report: VerifyReport, place: string, io: Io): void {
  const { ok, problems, problemCount, snapshots, packs, packsRead, bytesRead, strayPacks, ms } = report;
  for (const problem of problems) for (const line of linesOf(problem)) printLine(io.out, line);
  if (problemCount > problems.length) printLine(io.out, `and ${problemCount - problems.length} more broken objects`);
  const read = packsRead === 0 ? "their data was not read" : `${countText(packsRead, "pack")} read whole, ${formatBytes(bytesRead)}`;
  printLine(io.out, `${countText(snapshots, "snapshot")}, ${countText(packs, "pack")}; ${read}; ${durationText(ms)}`);
  if (strayPacks > 0)
    printLine(
      io.out,
      `${countText(strayPacks, "pack")} that no index names: left by a run that was stopped. "reconsync repository prune" removes them`,
    );
  if (ok) printLine(io.out, `${place} is whole.`);
  else {
    printLine(
      io.err,
      `reconsync: repository-damaged: ${countText(problemCount, "broken object")} in ${place}. What is whole can be restored; make a new backup now, and keep this repository as it is`,
    );
  }
}

/** Files that are named for each broken object; `--json` has more. */
const FILES_SHOWN = 5;

function linesOf({ kind, name, wrong, files, fileCount }: VerifyProblem): string[] {
  const hit = files
    .slice(0, FILES_SHOWN)
    .map(({ snapshot, path }) => `  hits ${printable(path)} in snapshot ${snapshot.slice(0, SHORT_ID)}`);
  const more = fileCount > hit.length ? [`  and ${fileCount - hit.length} more`] : [];
  return [`${kind} ${name}: ${wrong}`, ...hit, ...more];
}
