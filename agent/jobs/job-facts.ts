import { type Job, traceIdOf } from "../../schemas/index.ts";
import type { WorkFacts } from "../tracing/work.ts";

/** What log lines say of a job. */
export function factsOf({ id, kind, traceparent }: Job) {
  return { job: id, kind, ...(traceparent === undefined ? {} : { trace: traceIdOf(traceparent) }) };
}

/** What metrics and traces know of a job. */
export function workOf({ id, kind, payload, traceparent }: Job): WorkFacts {
  return { kind, job: id, parent: traceparent, ...("server" in payload && { server: payload.server }) };
}
