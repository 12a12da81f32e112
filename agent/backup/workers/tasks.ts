import type { TransferListItem } from "node:worker_threads";
import type { SentError } from "./errors.ts";

/** What a task answers: a value, and the buffers that move with it instead of being copied. */
export interface TaskAnswer<T = unknown> {
  value: T;
  transfer?: TransferListItem[];
}

/** One kind of work that a worker thread can do. State between tasks belongs to the closure that made it, one a thread. */
export type Task<I, O> = (input: I) => TaskAnswer<O> | Promise<TaskAnswer<O>>;

/** Tasks by name. `createTasks` of the entry puts the tables of all rooms together. */
// biome-ignore lint/suspicious/noExplicitAny: a table of tasks of many types; the caller names the types of the one that it runs.
export type TaskTable = Record<string, Task<any, any>>;

export interface TaskCall {
  id: number;
  name: string;
  input: unknown;
}

export type TaskReply = { id: number; value: unknown } | { id: number; error: SentError };
