import type { Snapshot } from "../counts.ts";
import { noCounts } from "../counts.ts";

/** What a cursor of SQLite tells. */
export interface RowsSeen {
  rowsRead: number;
  rowsWritten: number;
}

const STATEMENT_MAX = 80;
/** What the local runtime does for itself; Cloudflare does not. */
const LOCAL_ONLY = "__miniflare";

/** Counts what the Worker and its objects do. It knows the runtime by what it is told, nothing more. */
export class Meter {
  readonly #counts = noCounts();
  readonly #routes: Snapshot["routes"] = {};
  readonly #calls: Snapshot["calls"] = {};
  readonly #statements: Snapshot["statements"] = {};
  /** Cursors whose rows are not added yet: a cursor counts on while it is read. */
  readonly #cursors: { statement: string; cursor: RowsSeen }[] = [];
  /** Handlers that run in each object, and since when. */
  readonly #awake = new WeakMap<object, { handlers: number; since: number }>();
  #bornAt: number | null = null;
  #alarmAt: number | null = null;

  request(method: string, path: string): void {
    const route = `${method} ${path
      .replace(/\/(?:job|upload)_[^/]+/g, "/:id")
      .replace(/\/parts\/\d+/, "/parts/:number")
      .replace(/(\/v1\/repositories)\/[^/]+(\/[a-z]+)?(\/[0-9a-f]{64})?/, "$1/:server$2")}`;
    this.#counts.workerRequests += 1;
    this.#routes[route] = { times: (this.#routes[route]?.times ?? 0) + 1, lastAt: Date.now() };
  }

  /** An object is being made; its first handler follows at once. */
  born(): void {
    this.#counts.wakeUps += 1;
    this.#bornAt = Date.now();
  }

  /** A handler of an object begins. Answers what to call at its end. */
  enter(object: object, name: string): () => void {
    this.#calls[name] = (this.#calls[name] ?? 0) + 1;
    if (name === "fetch") this.#counts.objectFetches += 1;
    else if (name === "alarm") this.#counts.alarms += 1;
    else if (name === "webSocketMessage") this.#counts.socketMessages += 1;
    else if (name === "webSocketClose" || name === "webSocketError") this.#counts.socketCloses += 1;
    else this.#counts.objectCalls += 1;
    if (name === "alarm") this.#alarmAt = null;
    const awake = this.#awake.get(object) ?? { handlers: 0, since: 0 };
    this.#awake.set(object, awake);
    // Making the object is part of the time for which it is billed.
    if (awake.handlers === 0) awake.since = this.#bornAt ?? Date.now();
    this.#bornAt = null;
    awake.handlers += 1;
    return () => {
      awake.handlers -= 1;
      if (awake.handlers === 0) this.#counts.awakeMs += Date.now() - awake.since;
      this.#settle();
    };
  }

  statement(text: string, cursor: RowsSeen): void {
    if (text.includes(LOCAL_ONLY)) return;
    this.#cursors.push({ statement: text.replace(/\s+/g, " ").trim().slice(0, STATEMENT_MAX), cursor });
  }

  /** Rows outside of SQL. */
  rows(what: string, read: number, written: number): void {
    this.#add(what, { rowsRead: read, rowsWritten: written });
  }

  /** Cloudflare counts each setting of an alarm as a row written. */
  alarmSet(at: number | null): void {
    this.#counts.alarmsSet += 1;
    this.#alarmAt = at;
    this.rows("setAlarm", 0, 1);
  }

  r2(operation: "r2ClassA" | "r2ClassB"): void {
    this.#counts[operation] += 1;
  }

  snapshot(): Snapshot {
    this.#settle();
    return { counts: this.#counts, routes: this.#routes, calls: this.#calls, statements: this.#statements, alarmAt: this.#alarmAt };
  }

  #settle(): void {
    for (const { statement, cursor } of this.#cursors.splice(0)) this.#add(statement, cursor);
  }

  #add(statement: string, { rowsRead, rowsWritten }: RowsSeen): void {
    this.#counts.rowsRead += rowsRead;
    this.#counts.rowsWritten += rowsWritten;
    const source = this.#statements[statement] ?? { times: 0, rowsWritten: 0 };
    this.#statements[statement] = { times: source.times + 1, rowsWritten: source.rowsWritten + rowsWritten };
  }
}
