import { AgentError, EXIT } from "../../errors.ts";

/** Looking into the backups that a server has, whatever their format and wherever they lie. Nothing here changes one. */

/** One backup that is kept. What is not known is left out. */
export interface KeptBackup {
  /** Id of the snapshot, or name of the archive. */
  id: string;
  /** How people call it: the first digits of the id, or the name. */
  name: string;
  /** Milliseconds since the epoch. */
  at: number;
  note?: string;
  consistency?: string;
  files?: number;
  /** Of the files. */
  sourceBytes?: number;
  /** Content that was not stored before, before compression. */
  newBytes?: number;
  /** What it took in the store. */
  storedBytes?: number;
}

export type KeptType = "file" | "directory" | "symlink" | "other";

export interface KeptEntry {
  /** Relative to the server's folder, with `/`. */
  path: string;
  type: KeptType;
  /** Of a file. */
  bytes?: number;
  /** Milliseconds since the epoch; left out where it is not known, or no date. */
  mtime?: number;
  /** Of a symbolic link. */
  target?: string;
}

export interface KeptDifference {
  /** Relative to the server's folder, with `/`. */
  path: string;
  /** `changed`: content, type or target. `metadata`: only mode, owner or time. */
  kind: "added" | "removed" | "changed" | "metadata";
  /** Bytes of the file before and after; 0 for what is no file. */
  before: number;
  after: number;
}

export interface KeptBackups {
  /** Where they lie, in words for people. */
  readonly place: string;
  /** Newest first. */
  list(signal: AbortSignal): Promise<KeptBackup[]>;
  /**
   * What lies in a folder of a backup, in the order of names, with `recursive` all below it; for anything but a folder, itself. The empty path is the
   * server's folder.
   * @throws AgentError `path-missing`
   */
  entries(backup: KeptBackup, path: string, given: { recursive: boolean; signal: AbortSignal }): AsyncGenerator<KeptEntry>;
  /** How `after` differs from `before`, in the order of paths. */
  differences(before: KeptBackup, after: KeptBackup, signal: AbortSignal): AsyncGenerator<KeptDifference>;
  /** What all of them take in the store. */
  storedBytes(signal: AbortSignal): Promise<number>;
  close(): Promise<void>;
}

/** Digits of a snapshot's id that have to be given at least. */
const DIGITS_MIN = 4;
/** So many of several matches are named. */
const NAMED_MAX = 5;
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})$/;

/**
 * The backup that is meant by `latest`, by a time (the newest that is not later), by a name, or by the first digits of an id. `list`: newest first.
 * @throws AgentError `backup-missing`, `backup-ambiguous`
 */
export function findKept(list: readonly KeptBackup[], wanted: string, server: string): KeptBackup {
  const missing = (why: string) =>
    new AgentError("backup-missing", `${why} "reconsync ls ${server}" lists those there are.`, { exitCode: EXIT.usage });
  if (wanted === "latest") {
    const [newest] = list;
    if (newest === undefined) throw missing(`${server} has no backup.`);
    return newest;
  }
  if (TIME.test(wanted)) {
    const at = Date.parse(wanted);
    const found = Number.isNaN(at) ? undefined : list.find((it) => it.at <= at);
    if (found === undefined) throw missing(`${server} has no backup from ${wanted} or before.`);
    return found;
  }
  const exact = list.find(({ id }) => id === wanted);
  if (exact !== undefined) return exact;
  const matches = wanted.length < DIGITS_MIN ? [] : list.filter(({ id }) => id.startsWith(wanted));
  const [only, second] = matches;
  if (only === undefined) {
    const forms = `give "latest", a time such as 2026-11-22T14:30Z, or at least ${DIGITS_MIN} digits of a name`;
    throw missing(`${server} has no backup ${wanted}: ${forms}.`);
  }
  if (second === undefined) return only;
  const some = matches.slice(0, NAMED_MAX).map(({ id }) => id);
  throw new AgentError("backup-ambiguous", `several backups of ${server} begin with ${wanted}: ${some.join(", ")}. Give more of it`, {
    exitCode: EXIT.usage,
  });
}

/** A path as people write it, without `/` at its ends and without empty names. */
export function tidyKeptPath(path: string): string {
  return path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .join("/");
}

export function noSuchPath(path: string, { name }: KeptBackup): AgentError {
  return new AgentError("path-missing", `the backup ${name} has no ${path}. "reconsync ls" shows what it has.`, { exitCode: EXIT.usage });
}

/** Marks of our own among the tags of a snapshot. */
const NOTE = "reconsync:note=";
const CONSISTENCY = "reconsync:consistency=";

/** What the tags of a snapshot say of it. */
export function factsOfTags(tags: readonly string[]): Pick<KeptBackup, "note" | "consistency"> {
  const after = (mark: string) => tags.find((tag) => tag.startsWith(mark))?.slice(mark.length);
  const [note, consistency] = [after(NOTE), after(CONSISTENCY)];
  return { ...(note !== undefined && { note }), ...(consistency !== undefined && { consistency }) };
}
