import type { Instant } from "../../schemas/index.ts";
import { backupName } from "../../schemas/index.ts";
import type { Format } from "../discord/text.ts";
import { formatter, plain } from "../discord/text.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import type { BackupRecord } from "./backups.ts";
import { parsePast } from "./past-time.ts";
import type { Chosen, ChosenBackup } from "./restores.ts";
import { eventByKey, eventsOf } from "./server-events.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";
import type { Choice } from "./views.ts";

/** Which backup `/restore` means, and what it offers to choose from. */

/** How a member named the backup: one of these, or none for the newest. As they were typed. */
export interface WantedBackup {
  /** Id of a backup, or `latest`. */
  backup?: string | undefined;
  time?: string | undefined;
  /** Key of an event. */
  before?: string | undefined;
}

export const LATEST = "latest";
/** Discord takes at most 25 choices, with names of at most 100 characters. */
const CHOICES_MAX = 25;
const CHOICE_NAME_MAX = 100;
/** Backups that are looked through for choices: the newest. */
const CHOICES_FROM = 1000;

export interface Choosing {
  backup: BackupRecord;
  chosen: Chosen;
  shown: ChosenBackup;
}

/** The backup that a member means, among those that the server's host can restore. */
export function chooseBackup(tables: Tables, server: ServerRecord, wanted: WantedBackup, now: Instant): Choosing | Refusal {
  const { backup, time, before } = wanted;
  if ([backup, time, before].filter((one) => one !== undefined).length > 1) return refuse("restore-pick-one");
  const { host, id, name } = server;
  const newest = (filter: { startedBy?: Instant; endedBy?: Instant }) =>
    tables.backups.restorable(id, { host, safety: false, ...filter }, 1)[0];
  const found = (one: BackupRecord, chosen: Chosen): Choosing => ({
    backup: one,
    chosen,
    shown: shownOf(one, wholeBeside(tables, server, one)),
  });
  if (time !== undefined) {
    const zone = tables.settings.get().timeZone;
    const read = parsePast(time, zone, now);
    if (typeof read === "string") return refuse("option-invalid", { option: "time", reason: read });
    const one = newest({ startedBy: read.at });
    return one === undefined
      ? refuse("restore-none-by-then", { server: name, when: stamp(read.at) })
      : found(one, { by: "time", text: time, at: read.at, zone });
  }
  if (before !== undefined) {
    const event = eventByKey(tables, server, before, now);
    if (event === null) return refuse("restore-event-unknown");
    const one = newest({ endedBy: event.at });
    return one === undefined
      ? refuse("restore-none-by-then", { server: name, when: stamp(event.at) })
      : found(one, { by: "before", words: event.words, at: event.at });
  }
  if (backup === undefined || backup === LATEST) {
    const one = newest({});
    return one === undefined ? refuse("restore-no-backup", { server: name, id }) : found(one, { by: "latest" });
  }
  const [one] = tables.backups.restorable(id, { host, safety: true, id: backup }, 1);
  return one === undefined ? refuse("restore-backup-gone", { server: id }) : found(one, { by: "backup" });
}

/** `latest`, then the backups that can be restored, newest first. */
export function backupChoices(tables: Tables, server: ServerRecord, typed: string, format: Format): Choice[] {
  const kept = tables.backups.restorable(server.id, { host: server.host, safety: true }, CHOICES_FROM);
  const [newest] = kept.filter(({ purpose }) => purpose !== "safety");
  const latest = newest === undefined ? [] : [{ name: cut(`latest · ${wordsOf(newest, format)}`), value: LATEST }];
  const all = [...latest, ...kept.map((one) => ({ name: cut(wordsOf(one, format)), value: one.id }))];
  return matching(all, typed);
}

/** What happened to the server, newest first. */
export function eventChoices(tables: Tables, server: ServerRecord, typed: string, format: Format, now: Instant): Choice[] {
  const { dateTime } = formatter(format);
  const all = eventsOf(tables, server, now).map(({ key, at, words }) => ({
    name: cut(`${dateTime(at)} · ${plain(words, 80)}`),
    value: key,
  }));
  return matching(all, typed);
}

/** What is shown of a backup, also when its row is gone. */
export function shownOf(backup: BackupRecord, wholeAt?: Instant): ChosenBackup {
  const { id, format, startedAt, note, consistency, sourceBytes, purpose } = backup;
  const base = { id, name: backupName(backup), format, madeAt: startedAt, note: note ?? null, consistency, sourceBytes };
  return { ...base, safety: purpose === "safety", ...(wholeAt === undefined ? {} : { wholeAt }) };
}

/** When a torn backup was chosen: when the newest one before it was made that is not torn. */
function wholeBeside(tables: Tables, { id, host }: ServerRecord, { consistency, startedAt }: BackupRecord): Instant | undefined {
  if (consistency !== "torn") return undefined;
  return tables.backups.restorable(id, { host, safety: false, whole: true, startedBy: startedAt }, 1)[0]?.startedAt;
}

/** `22 Nov 2026, 15:04 CET · 2.8 GB · stable · before the update`: words for Discord's list of choices, which shows them as they are. */
function wordsOf(backup: BackupRecord, format: Format): string {
  const { bytes, dateTime } = formatter(format);
  const { startedAt, sourceBytes, consistency, note, purpose } = backup;
  const parts = [dateTime(startedAt), bytes(sourceBytes), consistency === "torn" ? "⚠ torn" : consistency];
  if (purpose === "safety") parts.push("safety backup");
  if (note !== undefined) parts.push(plain(note, 60));
  return parts.join(" · ");
}

function matching(choices: Choice[], typed: string): Choice[] {
  const wanted = typed.trim().toLowerCase();
  return choices.filter(({ name, value }) => name.toLowerCase().includes(wanted) || value === wanted).slice(0, CHOICES_MAX);
}

function cut(name: string): string {
  const characters = [...name];
  return characters.length > CHOICE_NAME_MAX ? `${characters.slice(0, CHOICE_NAME_MAX - 1).join("")}…` : name;
}

/** As Discord takes times. */
function stamp(at: Instant): string {
  return String(Math.floor(at / 1000));
}
