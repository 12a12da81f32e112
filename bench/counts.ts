/** What the counting Worker counts. It and the measurement both know this file. */
export const COUNTERS = [
  /** HTTP requests that reached the Worker. */
  "workerRequests",
  /** `fetch` of the object: one a held poll. */
  "objectFetches",
  /** Calls of the object's methods over RPC; each is a request of its own. */
  "objectCalls",
  "alarms",
  /** Incoming WebSocket messages. */
  "socketMessages",
  /** Ends of WebSockets. They wake the object, and are not billed. */
  "socketCloses",
  /** Runs of the object's constructor: it was not in memory. */
  "wakeUps",
  "rowsRead",
  /** With one row for each alarm that was set. */
  "rowsWritten",
  "alarmsSet",
  "r2ClassA",
  "r2ClassB",
  /** Time in which a handler of the object ran, in milliseconds. */
  "awakeMs",
] as const;
export type Counter = (typeof COUNTERS)[number];
export type Counts = Record<Counter, number>;

/** Where a part of the counts came from: how often, and how many rows it wrote. */
export interface Source {
  times: number;
  rowsWritten: number;
}

/** The answer of `GET /__counts`. */
export interface Snapshot {
  counts: Counts;
  /** By method and path without ids. */
  routes: Record<string, { times: number; lastAt: number }>;
  /** By the object's method. */
  calls: Record<string, number>;
  /** By statement. */
  statements: Record<string, Source>;
  /** When the next alarm is due, in milliseconds since the epoch; null when none is set. */
  alarmAt: number | null;
}

export function noCounts(): Counts {
  return Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Counts;
}

export function plus(a: Counts, b: Counts): Counts {
  return map((name) => a[name] + b[name]);
}

export function minus(a: Counts, b: Counts): Counts {
  return map((name) => a[name] - b[name]);
}

export function times(a: Counts, factor: number): Counts {
  return map((name) => a[name] * factor);
}

function map(value: (name: Counter) => number): Counts {
  return Object.fromEntries(COUNTERS.map((name) => [name, value(name)])) as Counts;
}
