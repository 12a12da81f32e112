import type { Instant } from "../../schemas/index.ts";
import type { AuditEntry } from "./audit.ts";
import { missedKey, missedNotice } from "./schedule-watch.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";

/** What happened to a server, as far as the guild knows: anchors for "restore what was there before this". */

export interface ServerEvent {
  /** Names it for as long as it is known. */
  key: string;
  /** The world as it was before this is not yet hit by it. */
  at: Instant;
  /** Plain words, such as `backup failed (disk-full)`. They may hold what a host or a member wrote. */
  words: string;
}

/** Looks up at most `limit` of the newest events of one sort. */
type Source = (tables: Tables, server: ServerRecord, limit: number) => ServerEvent[];

/** Every sort of event. A new one, such as players that joined, crashes or updates, is one more function here. */
const SOURCES: readonly Source[] = [restores, failedBackups, scheduledRuns, missedRuns, absences, changes];
/** Of each sort. */
const EACH_MAX = 25;
/** Audit rows that are looked through for changes. */
const AUDIT_ROWS_MAX = 200;

/** The newest first. */
export function eventsOf(tables: Tables, server: ServerRecord, now: Instant): ServerEvent[] {
  const all = SOURCES.flatMap((source) => source(tables, server, EACH_MAX));
  return all.filter(({ at }) => at <= now).sort((a, b) => b.at - a.at || (a.key < b.key ? -1 : 1));
}

/** Null when it is not known (any more). */
export function eventByKey(tables: Tables, server: ServerRecord, key: string, now: Instant): ServerEvent | null {
  return eventsOf(tables, server, now).find((event) => event.key === key) ?? null;
}

function restores({ restores: table, jobs }: Tables, { id }: ServerRecord, limit: number): ServerEvent[] {
  return table.confirmedOf(id, limit).flatMap((restore) => {
    const job = restore.job === null ? null : jobs.byId(restore.job);
    if (job?.startedAt == null || restore.payload.to !== undefined) return [];
    const what = restore.undoOf === null ? "restore" : "Undo of a restore";
    return [{ key: `restore/${restore.id}`, at: job.startedAt, words: `${what} of ${restore.backup.name}: ${job.state}` }];
  });
}

function failedBackups({ jobs }: Tables, { id }: ServerRecord, limit: number): ServerEvent[] {
  return jobs
    .page({ server: id, states: ["failed", "expired"] }, { limit, offset: 0 })
    .jobs.filter(({ kind }) => kind === "backup")
    .map(({ id: job, createdAt, startedAt, error }) => ({
      key: `job/${job}`,
      at: startedAt ?? createdAt,
      words: `backup failed (${error?.code ?? "no reason"})`,
    }));
}

function scheduledRuns({ runs }: Tables, { id }: ServerRecord, limit: number): ServerEvent[] {
  return runs
    .recent(id, limit)
    .filter(({ state }) => state === "failed")
    .map((run) => ({
      key: `run/${run.id}`,
      at: run.startedAt,
      words: `scheduled backup ${run.schedule} failed (${run.problem?.code ?? "no reason"})`,
    }));
}

function missedRuns(tables: Tables, { id, host, schedules = [] }: ServerRecord): ServerEvent[] {
  return schedules.flatMap(({ name }) => {
    const notice = missedNotice(tables, missedKey(id, name), host);
    return (notice?.missed ?? []).map(({ nominal }) => ({
      key: `missed/${name}/${nominal}`,
      at: nominal,
      words: `scheduled backup ${name} was missed`,
    }));
  });
}

function absences({ absences: table, hosts }: Tables, { host }: ServerRecord, limit: number): ServerEvent[] {
  const name = hosts.byId(host)?.name ?? host;
  return table.of(host, limit).map(({ id, from }) => ({ key: `away/${id}`, at: from, words: `host ${name} went away, and came back` }));
}

/** What members changed about this server or its host. */
function changes({ audit }: Tables, { id, host }: ServerRecord, limit: number): ServerEvent[] {
  const { rows } = audit.page({}, { limit: AUDIT_ROWS_MAX, offset: 0 });
  return rows
    .flatMap(({ seq, at, entry }) => {
      const concerns = (entry.server ?? id) === id && (entry.host ?? host) === host;
      const words = concerns ? changeWords(entry) : null;
      return words === null ? [] : [{ key: `audit/${seq}`, at, words }];
    })
    .slice(0, limit);
}

function changeWords({ kind, change = {} }: AuditEntry): string | null {
  if (kind === "setting") return `setting ${String(change.setting)} changed`;
  // Runs by schedule have rows of this kind too; those that went wrong are events of their own.
  if (kind === "schedule") return change.action === undefined ? null : `schedule ${String(change.schedule)}: ${String(change.action)}`;
  const [what, name] = Object.entries(change).find(([, value]) => typeof value === "string") ?? [];
  return kind === "host" && what !== undefined ? `host ${String(name)}: ${HOST_CHANGES[what] ?? what}` : null;
}

const HOST_CHANGES: Record<string, string> = {
  enrolmentCodeFor: "a code to enrol it was made",
  enrolled: "enrolled",
  revoked: "access taken away",
  rotatedKeyOf: "key changed",
  allowlistOf: "allowed addresses changed",
};
