import { relative, sep } from "node:path";
import { type SnapshotBackup, TORN_FILES_NAMED_MAX, type TornFile } from "../../../schemas/index.ts";
import type { BackupRequest } from "../engine.ts";
import type { BackupSummary, Problem } from "../repository/backup/run.ts";
import { NOTE_MAX, PLACE_MAX, PRUNED_MAX, WARNING_MAX, WARNINGS_MAX } from "../result.ts";
import { evidenceOf, type SavesEvidence } from "../saves.ts";
import { placeOf } from "./place.ts";

/** As schemas/jobs.ts allows, in characters. */
const PATH_MAX = 500;
/** Of a path inside a warning, in characters: the words around it have to fit too. */
const PATH_WARNED_MAX = 150;

/** Whatever was not kept as it is makes a backup torn: a file that is missing is as bad as one that mixes two states. */
const TORN: Partial<Record<Problem["kind"], TornFile["reason"]>> = { changed: "changed", vanished: "vanished", unreadable: "unreadable" };

/** What people should know of the others, by the first of its kind. */
const WORDS: Partial<Record<Problem["kind"], (count: number, path: string) => string>> = {
  unreadable: (count, path) =>
    `${things(count, "file or folder", "files or folders")} could not be read and so not be backed up; the first: ${path}.`,
  special: (count) => `${things(count, "special file", "special files")} (sockets, FIFOs, devices) left out: they have no content to keep.`,
  database: (count, path) =>
    `${things(count, "SQLite database", "SQLite databases")} could not be copied by SQLite and so copied as plain files; the first: ${path}.`,
  "silently-changed": (count, path) =>
    `${things(count, "file", "files")} had changed without a trace in size and time: a program hides its writes, or a disk is failing; the first: ${path}.`,
  history: () => "What was known of the backup before could not be used, so everything was read again.",
};

export interface Made {
  summary: BackupSummary;
  /** How saves were held meanwhile. */
  saves?: SavesEvidence;
  startedAt: number;
  durationMs: number;
  pruned: string[];
  /** In words, besides what the summary tells. */
  warnings: string[];
}

/** What is told of a snapshot that was made. */
export function snapshotResult({ server, note, purpose }: Pick<BackupRequest, "server" | "note" | "purpose">, made: Made): SnapshotBackup {
  const { summary, startedAt, durationMs } = made;
  const { files, problems } = summary;
  const pathOf = ({ path }: Problem) => inside(server.folder, path);
  const torn = problems.filter(({ kind }) => TORN[kind] !== undefined);
  return {
    format: "repository",
    server: server.id,
    snapshot: summary.snapshot,
    store: server.backup.store.type,
    place: placeOf(server.backup.store, server.id).slice(0, PLACE_MAX),
    bytes: summary.bytesAdded,
    sourceBytes: summary.bytes,
    newBytes: summary.bytesNew,
    repositoryBytes: summary.repositoryBytes,
    files: files.new + files.changed + files.unchanged,
    startedAt,
    durationMs: Math.max(0, Math.round(durationMs)),
    consistency: torn.length > 0 ? "torn" : summary.consistency,
    evidence: evidenceOf(torn.length, made.saves),
    torn: torn.slice(0, TORN_FILES_NAMED_MAX).map((problem) => ({
      path: pathOf(problem).slice(0, PATH_MAX),
      reason: TORN[problem.kind] ?? "changed",
    })),
    tornCount: torn.length,
    pruned: made.pruned.slice(0, PRUNED_MAX),
    note: note?.slice(0, NOTE_MAX),
    purpose,
    warnings: [...made.warnings, ...warningsOf(problems, pathOf)].slice(0, WARNINGS_MAX).map((text) => text.slice(0, WARNING_MAX)),
  };
}

function warningsOf(problems: readonly Problem[], pathOf: (problem: Problem) => string): string[] {
  return Object.entries(WORDS).flatMap(([kind, words]) => {
    const all = problems.filter((problem) => problem.kind === kind);
    const [first] = all;
    return first === undefined ? [] : [words(all.length, pathOf(first).slice(0, PATH_WARNED_MAX))];
  });
}

/** Relative to the server's folder, with `/`. */
function inside(folder: string, path: string): string {
  const below = relative(folder, path).split(sep).join("/");
  return below === "" || below.startsWith("../") ? path : below;
}

function things(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
