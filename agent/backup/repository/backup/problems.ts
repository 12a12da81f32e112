import type { PathBytes } from "./paths.ts";

/** What a backup could not keep as it is, or what somebody should know of it. */
export interface Problem {
  path: string;
  kind: /** It changed whenever it was read, so what is stored may mix two states of it. */
    | "changed"
    /** It was there when its folder was read, and is gone. Not in the backup. */
    | "vanished"
    /** It could not be opened or read. Not in the backup. */
    | "unreadable"
    /** Its content changed without a trace in size and times. The new content is in the backup. */
    | "silently-changed"
    /** Nothing that a backup can hold. Not in the backup. */
    | "special"
    /** An SQLite database that could not be copied as one, so it is stored as the file it is. */
    | "database"
    /** What is known of the backup before could not be used, so more was read than necessary. */
    | "history";
  detail: string;
}

/** How a database came into the backup. */
export interface CopiedDatabase {
  path: string;
  /** `file`: nobody wrote to it, so its file is the database. `backup`: SQLite's backup API. `plain`: neither was possible; see `problems`. */
  method: "file" | "backup" | "plain";
  /** Files beside it that are part of the copy already, and would spoil it when they came back. */
  leftOut?: string[];
}

/** A folder that nobody may read can have any number of files; so many are named. */
export const PROBLEMS_MAX = 1000;
export const DATABASES_MAX = 1000;

/** What a run has to tell, capped. */
export class Problems {
  readonly list: Problem[] = [];
  readonly databases: CopiedDatabase[] = [];
  /** All problems, also those that the list has no room for. */
  count = 0;
  /** Files that are stored although they changed while they were read. */
  torn = 0;
  /** What is not in the backup although it should be. */
  missing = 0;

  add(kind: Problem["kind"], path: PathBytes | string, detail: string): void {
    this.count += 1;
    if (kind === "changed") this.torn += 1;
    if (kind === "vanished" || kind === "unreadable") this.missing += 1;
    if (this.list.length < PROBLEMS_MAX) this.list.push({ path: text(path), kind, detail });
  }

  database(path: PathBytes, method: CopiedDatabase["method"], leftOut: PathBytes[]): void {
    if (this.databases.length >= DATABASES_MAX) return;
    this.databases.push({ path: text(path), method, ...(leftOut.length > 0 && { leftOut: leftOut.map(text) }) });
  }
}

const text = (path: PathBytes | string) => (typeof path === "string" ? path : path.toString("utf8"));
