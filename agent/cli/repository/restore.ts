import { resolve } from "node:path";
import { type RestoreSummary, restore } from "../../backup/repository/restore/run.ts";
import { WorkerPool } from "../../backup/workers/pool.ts";
import { formatBytes } from "../../config/check-text.ts";
import { EXIT } from "../../errors.ts";
import { type Io, printJson, printLine } from "../io.ts";
import { ProgressView } from "../progress-view.ts";
import { countText, durationText } from "../text.ts";
import { printable } from "./ls.ts";
import { underReadLock, withRepository } from "./open.ts";
import { type RepositoryContext, type RepositoryOptions, SHORT_ID } from "./options.ts";
import { type FilterOptions, filterOf } from "./snapshots.ts";

export interface RepositoryRestoreOptions extends RepositoryOptions, FilterOptions {
  target: string;
  from?: string;
  include?: string[];
  overwrite?: boolean;
  threads?: number;
}

/** `reconsync repository restore SNAPSHOT --target DIR`. */
export function repositoryRestoreCommand(name: string, options: RepositoryRestoreOptions, { io, exit }: RepositoryContext): Promise<void> {
  const { from, include, overwrite, threads } = options;
  // They start while the key is derived from the password.
  const pool = new WorkerPool(threads);
  return withRepository(options, io, async (repository, { signal }) => {
    const snapshot = await repository.findSnapshot(name, filterOf(options), signal);
    const view = new ProgressView(io.err, () => performance.now());
    const locking = { io, signal, lock: options.lock, readsFirst: true };
    const summary = await underReadLock(repository, locking, async (locked, mayWrite) => {
      await repository.loadIndex(locked);
      return restore(repository, snapshot, {
        target: resolve(options.target),
        from,
        include,
        overwrite,
        pool,
        mayWrite,
        report: ({ phase, bytesDone, bytesTotal }) => view.show({ phase, done: bytesDone, total: bytesTotal }),
        signal: locked,
      });
    }).finally(() => view.clear());
    if (options.json === true) printJson(io.out, summary);
    else tell(summary, io);
    exit(summary.problems.length === 0 ? EXIT.ok : EXIT.badData);
  }).finally(() => pool.close());
}

/** Problems that people see at once; `--json` has all that were kept. */
const SHOWN_MAX = 20;

function tell({ snapshot, target, files, directories, bytes, problems, problemCounts, ms }: RestoreSummary, io: Io): void {
  const what = `${countText(files, "file")} in ${countText(directories, "folder")}, ${formatBytes(bytes)}`;
  printLine(io.out, `snapshot ${snapshot.slice(0, SHORT_ID)} restored to ${target}: ${what}, ${durationText(ms)}`);
  for (const { kind, path, detail } of problems.slice(0, SHOWN_MAX)) printLine(io.err, `${kind}: ${printable(path)}: ${detail}`);
  const count = Object.values(problemCounts).reduce((sum, one) => sum + one, 0);
  if (count > SHOWN_MAX) printLine(io.err, `and ${count - SHOWN_MAX} more; --json names the first thousand`);
  if ((problemCounts.damaged ?? 0) > 0) {
    printLine(io.err, "Damaged files stand beside their place as NAME.reconsync-damaged. Look whether an older snapshot has them whole.");
  }
}
