import { findKept, type KeptBackup, type KeptBackups, type KeptDifference, type KeptEntry, type KeptType } from "../backup/kept/kept.ts";
import { openKept } from "../backup/kept/open.ts";
import { type KeptStatsRow, keptStats, textBar } from "../backup/kept/stats.ts";
import { systemClock } from "../clock.ts";
import { formatBytes } from "../config/check-text.ts";
import { Redactor } from "../config/redactor.ts";
import { WorkerClient } from "../control-plane/worker-client.ts";
import { unknownServer } from "../jobs/host.ts";
import { reason } from "../monitor/bounded.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { createLogger } from "./log.ts";
import { printable } from "./repository/ls.ts";
import { type CommonOptions, readConfig } from "./settings.ts";
import { untilStopped } from "./signals.ts";
import { countText } from "./text.ts";
import { withState } from "./with-state.ts";

/** `reconsync ls`, `diff` and `stats`: look into the backups of a server of the config, wherever that says they lie. */

export interface KeptOptions extends CommonOptions {
  json?: boolean;
}

/** Opens the backups of a server for the time of `work`. */
async function withKept(
  id: string,
  options: KeptOptions,
  io: Io,
  work: (kept: KeptBackups, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const config = await readConfig(options, io);
  const server = config.servers.find((it) => it.id === id);
  if (server === undefined) throw unknownServer(config.servers, id);
  const log = createLogger({ ...config.log, level: config.log.level === "debug" ? "debug" : "warn" }, io.err, new Redactor(config.secrets));
  await withState(config.stateFile, (state) =>
    untilStopped(
      async (signal) => {
        const access = new WorkerClient({ identity: state.identity, clock: systemClock });
        const deps = { stateFile: config.stateFile, access, clock: systemClock, log, env: io.env };
        const kept = await openKept(
          server,
          {
            ...deps,
            onDamaged: ({ code, message }) => printLine(io.err, `reconsync: ${code}: ${message}`),
            onMirrorProblem: ({ error }) => printLine(io.err, `warning: the second copy has a problem: ${reason(error)}`),
          },
          signal,
        );
        try {
          await work(kept, signal);
        } finally {
          await kept.close();
        }
      },
      () => undefined,
    ),
  );
}

export interface KeptLsOptions extends KeptOptions {
  recursive?: boolean;
}

/** `reconsync ls SERVER [BACKUP] [PATH]`; without a backup, those there are, the newest last. With `--json` one object a line. */
export function keptLsCommand(server: string, given: { backup?: string; path?: string }, options: KeptLsOptions, io: Io): Promise<void> {
  const { backup, path = "" } = given;
  return withKept(server, options, io, async (kept, signal) => {
    const list = await kept.list(signal);
    if (backup === undefined) {
      for (const it of list.toReversed()) printLine(io.out, options.json === true ? JSON.stringify(plain(it)) : backupLine(it));
      if (options.json !== true) printLine(io.err, `${countText(list.length, "backup")} in ${kept.place}`);
      return;
    }
    const found = findKept(list, backup, server);
    for await (const entry of kept.entries(found, path, { recursive: options.recursive === true, signal }))
      printLine(io.out, options.json === true ? JSON.stringify(entry) : entryLine(entry));
  });
}

export interface KeptDiffOptions extends KeptOptions {
  /** Also what differs in mode, owner or time only. */
  metadata?: boolean;
}

const MARKS: Record<KeptDifference["kind"], string> = { added: "+", removed: "-", changed: "M", metadata: "U" };

/** `reconsync diff SERVER A B`; with `--json` one object a line, the totals last. */
export function keptDiffCommand(server: string, [first, second]: [string, string], options: KeptDiffOptions, io: Io): Promise<void> {
  return withKept(server, options, io, async (kept, signal) => {
    const list = await kept.list(signal);
    const [before, after] = [findKept(list, first, server), findKept(list, second, server)];
    const totals = { added: 0, removed: 0, changed: 0, metadata: 0, bytesAdded: 0, bytesRemoved: 0 };
    for await (const difference of kept.differences(before, after, signal)) {
      const { kind, path } = difference;
      totals[kind] += 1;
      if (kind !== "metadata") {
        totals.bytesAdded += difference.after;
        totals.bytesRemoved += difference.before;
      } else if (options.metadata !== true) continue;
      printLine(io.out, options.json === true ? JSON.stringify(difference) : `${MARKS[kind]} ${printable(path)}`);
    }
    if (options.json === true) {
      printLine(io.out, JSON.stringify({ before: before.id, after: after.id, totals }));
      return;
    }
    const { added, changed, removed, bytesAdded, bytesRemoved } = totals;
    const counts = `${added} added, ${changed} changed, ${removed} removed; +${formatBytes(bytesAdded)} -${formatBytes(bytesRemoved)}`;
    printLine(io.out, `${before.name} (${timeText(before.at)}) to ${after.name} (${timeText(after.at)}): ${counts}`);
  });
}

const BAR_WIDTH = 20;

/** `reconsync stats SERVER`: what each backup holds, what was new in it, and what all of them take. */
export function keptStatsCommand(server: string, options: KeptOptions, io: Io): Promise<void> {
  return withKept(server, options, io, async (kept, signal) => {
    const stats = keptStats(await kept.list(signal), await kept.storedBytes(signal));
    if (options.json === true) {
      printJson(io.out, { server, place: kept.place, ...stats, rows: stats.rows.map((row) => ({ ...plain(row), reused: row.reused })) });
      return;
    }
    const most = Math.max(0, ...stats.rows.map(({ storedBytes = 0 }) => storedBytes));
    for (const row of stats.rows) printLine(io.out, statsLine(row, most));
    const times = stats.ratio === undefined ? "" : `, ${stats.ratio.toFixed(1)} times as much as they take`;
    const held = `${countText(stats.backups, "backup")} of ${formatBytes(stats.sourceBytes)}${times}`;
    printLine(io.out, `${held}; ${formatBytes(stats.storedBytes)} in ${kept.place}`);
  });
}

function statsLine({ name, at, sourceBytes, newBytes, storedBytes, reused }: KeptStatsRow, most: number): string {
  const size = (bytes: number | undefined) => (bytes === undefined ? "?" : formatBytes(bytes)).padStart(8);
  const share = (reused === undefined ? "?" : `${Math.floor(reused * 100)} %`).padStart(5);
  const bar = textBar(storedBytes ?? 0, most, BAR_WIDTH);
  return `${timeText(at)}  ${name}  ${size(sourceBytes)}, new ${size(newBytes)}, stored ${size(storedBytes)}, reused ${share}  ${bar}`.trimEnd();
}

function backupLine({ name, at, files, sourceBytes, note, consistency }: KeptBackup): string {
  const counted =
    files === undefined || sourceBytes === undefined ? "size not known" : `${countText(files, "file")}, ${formatBytes(sourceBytes)}`;
  const rest = [counted, consistency ?? "", note === undefined ? "" : `"${printable(note)}"`].filter(Boolean);
  return [timeText(at), name, ...rest].join("  ");
}

const LETTERS: Record<KeptType, string> = { file: "-", directory: "d", symlink: "l", other: "?" };
const SIZE_WIDTH = 13;

function entryLine({ path, type, bytes, mtime, target }: KeptEntry): string {
  const arrow = target === undefined ? "" : ` -> ${printable(target)}`;
  const time = mtime === undefined ? " ".repeat(19) : timeText(mtime);
  return `${LETTERS[type]} ${String(bytes ?? "").padStart(SIZE_WIDTH)} ${time} ${printable(path)}${arrow}`;
}

/** In UTC, as archives are named. */
function timeText(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace("T", " ");
}

const plain = ({ at, ...rest }: KeptBackup) => ({ ...rest, time: new Date(at).toISOString() });
