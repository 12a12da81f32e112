import { resolve } from "node:path";
import { createFilter } from "../../backup/globs.ts";
import { type BackupSummary, backup } from "../../backup/repository/backup/run.ts";
import { CHUNK_MIN_SHARED } from "../../backup/repository/kernels/chunker.ts";
import { Repository } from "../../backup/repository/repository.ts";
import { whoIsHere } from "../../backup/repository/who-is-here.ts";
import { systemClock } from "../../clock.ts";
import { formatBytes } from "../../config/check-text.ts";
import { EXIT } from "../../errors.ts";
import { type Io, printJson, printLine } from "../io.ts";
import { ProgressView } from "../progress-view.ts";
import { countText, durationText } from "../text.ts";
import { printable } from "./ls.ts";
import { tellDamaged, withStore } from "./open.ts";
import { type RepositoryContext, type RepositoryOptions, SHORT_ID } from "./options.ts";

export interface RepositoryBackupOptions extends RepositoryOptions {
  tag?: string[];
  exclude?: string[];
  host?: string;
  compression?: "fast" | "better";
  lowPriority?: boolean;
  sharedChunks?: boolean;
  threads?: number;
  /** False for `--no-parent`. */
  parent?: boolean;
}

/** zstd levels: the fast one is the default, the other one stores a little less. */
const LEVELS = { fast: 1, better: 3 } as const;

/** `reconsync repository backup PATH…`. */
export function repositoryBackupCommand(paths: string[], options: RepositoryBackupOptions, { io, exit }: RepositoryContext): Promise<void> {
  const exclude = options.exclude ?? [];
  const filter =
    exclude.length === 0 ? undefined : createFilter({ include: ["**"], exclude }, { ignoreCase: process.platform === "win32" });
  return withStore(options, io, async ({ cacheFolder, signal, store, password }) => {
    const view = new ProgressView(io.err, () => performance.now());
    const who = whoIsHere();
    // The walk begins while the password is worked into a key.
    const opening = Repository.open(store, password, { cacheFolder, signal, onDamaged: tellDamaged(io) });
    const summary = await backup(
      { store, opening },
      paths.map((path) => ({ path: resolve(path), filter })),
      {
        ...who,
        hostname: options.host ?? who.hostname,
        tags: options.tag,
        now: systemClock.now,
        level: LEVELS[options.compression ?? "fast"],
        parent: options.parent === false ? "none" : undefined,
        threads: options.threads,
        chunkMin: options.sharedChunks === true ? CHUNK_MIN_SHARED : undefined,
        lowPriority: options.lowPriority,
        excludeFolders: [store.folder, cacheFolder].filter((folder) => folder !== undefined),
        cacheFolder,
        report: ({ phase, bytesDone, bytesTotal }) => view.show({ phase, done: bytesDone, total: bytesTotal ?? 0 }),
        signal,
      },
    ).finally(() => view.clear());
    if (options.json === true) printJson(io.out, summary);
    else tell(summary, io);
    exit(summary.problems.some(({ kind }) => kind === "unreadable") ? EXIT.badData : EXIT.ok);
  });
}

const METHODS: Record<BackupSummary["sqlite"][number]["method"], string> = {
  file: "nobody wrote to it",
  backup: "copied by SQLite",
  plain: "copied as a file",
};

/** Problems that people see at once; `--json` has all that were kept. */
const SHOWN_MAX = 20;

function tell(summary: BackupSummary, io: Io): void {
  const { snapshot, files, bytes, bytesNew, bytesAdded, consistency, problems, problemsInAll, sqlite, ms } = summary;
  const all = files.new + files.changed + files.unchanged;
  printLine(io.out, `snapshot ${snapshot.slice(0, SHORT_ID)}: ${countText(all, "file")}, ${formatBytes(bytes)}, ${durationText(ms)}`);
  printLine(
    io.out,
    `files: ${files.new} new, ${files.changed} changed, ${files.unchanged} unchanged, of which ${files.reread} were read again`,
  );
  printLine(io.out, `added: ${formatBytes(bytesNew)} of content, stored as ${formatBytes(bytesAdded)}`);
  if (sqlite.length > 0)
    printLine(io.out, `SQLite databases: ${sqlite.map(({ path, method }) => `${printable(path)} (${METHODS[method]})`).join(", ")}`);
  printLine(io.out, `consistency: ${consistency}`);
  for (const { kind, path, detail } of problems.slice(0, SHOWN_MAX)) {
    printLine(io.err, `${kind}: ${printable(path)}${detail === "" ? "" : `: ${detail}`}`);
  }
  if (problemsInAll > SHOWN_MAX) printLine(io.err, `and ${problemsInAll - SHOWN_MAX} more; --json names the first thousand`);
}
