import type { BackupResult, Instant } from "../../schemas/index.ts";
import type { Format } from "../discord/text.ts";
import type { Tables } from "./tables.ts";

/** How the backups of a server grew, for `/backup stats`. Pure, but for the reading of rows. */

/** Backups that are read at most, newest first: each is a row that is billed. */
export const STATS_BACKUPS_MAX = 2000;
/** Lines of the chart at most: what is read on a phone without scrolling. */
export const STATS_LINES_MAX = 14;
/** Backups over a longer time are added up by day, in milliseconds. */
const BY_DAY_AFTER_MS = 36 * 60 * 60_000;

export interface BackupGrowth {
  at: Instant;
  format: BackupResult["format"];
  /** Size of the files. */
  sourceBytes: number;
  /** Of them, what the store did not have yet, before compression. */
  newBytes: number;
  /** What it took in the store. */
  bytes: number;
}

/** One line of the chart: a backup, or all of a day. */
export interface GrowthLine {
  /** Of the newest backup in it. */
  at: Instant;
  backups: number;
  /** Size of the files in the newest backup. */
  sourceBytes: number;
  newBytes: number;
  bytes: number;
  /** Share of all that was backed up which the store had already, 0 to 1. */
  reused: number;
}

export interface BackupStatsView {
  format: Format;
  serverName: string;
  server: string;
  count: number;
  /** Of all that are kept: files as if each were a copy, and what they take in the store. */
  sourceBytes: number;
  bytes: number;
  byDay: boolean;
  /** Newest first. */
  lines: GrowthLine[];
  /** What a day added to the store, on average of the days that `lines` shows; null when they show less than a day. */
  bytesPerDay: number | null;
}

export function backupStats(server: string, tables: Tables, format: Format): BackupStatsView {
  const growth = tables.backups.growth(server, STATS_BACKUPS_MAX);
  const byDay = isLong(growth.slice(0, STATS_LINES_MAX));
  const all = growthLines(growth, byDay ? dayIn(format.timeZone) : null);
  // Of the oldest day that was read there may be more.
  const lines = byDay && growth.length === STATS_BACKUPS_MAX && all.length > 1 && all.length < STATS_LINES_MAX ? all.slice(0, -1) : all;
  return {
    format,
    server,
    serverName: tables.servers.byId(server)?.name ?? server,
    ...tables.backups.summary(server),
    byDay,
    lines,
    bytesPerDay: byDay ? perDay(lines) : null,
  };
}

/** `growth`: newest first. */
function isLong(growth: readonly BackupGrowth[]): boolean {
  const [newest, oldest] = [growth[0], growth.at(-1)];
  return newest !== undefined && oldest !== undefined && newest.at - oldest.at > BY_DAY_AFTER_MS;
}

/** Adds backups up that `dayOf` puts together; each stands alone without it. `growth`: newest first. */
export function growthLines(growth: readonly BackupGrowth[], dayOf: ((at: Instant) => string) | null): GrowthLine[] {
  const groups = new Map<string, BackupGrowth[]>();
  for (const [position, backup] of growth.entries()) {
    const key = dayOf === null ? String(position) : dayOf(backup.at);
    const group = groups.get(key);
    if (group !== undefined) group.push(backup);
    else if (groups.size < STATS_LINES_MAX) groups.set(key, [backup]);
  }
  return [...groups.values()].map((group) => lineOf(group));
}

function lineOf(group: readonly BackupGrowth[]): GrowthLine {
  const sum = (of: (backup: BackupGrowth) => number) => group.reduce((total, backup) => total + of(backup), 0);
  const all = sum(({ sourceBytes }) => sourceBytes);
  const newBytes = sum((backup) => backup.newBytes);
  return {
    at: group[0]?.at ?? 0,
    backups: group.length,
    sourceBytes: group[0]?.sourceBytes ?? 0,
    newBytes,
    bytes: sum(({ bytes }) => bytes),
    // Folders are stored too, so that a first backup may add more than its files hold.
    reused: all === 0 ? 0 : Math.max(0, 1 - newBytes / all),
  };
}

/** Of the time between the oldest and the newest line, without what the oldest added: that came before. */
function perDay(lines: readonly GrowthLine[]): number | null {
  const [newest, oldest] = [lines[0], lines.at(-1)];
  if (newest === undefined || oldest === undefined || newest.at <= oldest.at) return null;
  const added = lines.slice(0, -1).reduce((total, { bytes }) => total + bytes, 0);
  return added / ((newest.at - oldest.at) / 86_400_000);
}

/** The date of a time in a zone. */
function dayIn(timeZone: string): (at: Instant) => string {
  const date = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  return (at) => date.format(at);
}
