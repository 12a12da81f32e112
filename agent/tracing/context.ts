import { AsyncLocalStorage } from "node:async_hooks";
import type { Traceparent } from "../../schemas/index.ts";

/** The work that a piece of code belongs to, wherever it stands: its log lines and requests name it. */
export interface TraceContext {
  traceparent: Traceparent;
  job?: string;
}

const storage = new AsyncLocalStorage<TraceContext>();

/** What runs now belongs to this work; undefined outside of any. */
export function currentTrace(): TraceContext | undefined {
  return storage.getStore();
}

/** Calls `work`, and all that it begins, as a part of `context`. */
export function inTrace<T>(context: TraceContext, work: () => T): T {
  return storage.run(context, work);
}
