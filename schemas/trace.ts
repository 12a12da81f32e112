import * as z from "zod/mini";

/**
 * Where a piece of work stands in its trace: `00-TRACE-SPAN-FLAGS` (W3C Trace Context, version 00). It goes along from the interaction
 * to the job, the agent's requests, and the result.
 */
export const traceparent = z.string().check(z.regex(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/));
export type Traceparent = z.infer<typeof traceparent>;

/** Name of the HTTP header. */
export const TRACEPARENT_HEADER = "traceparent";

const TRACE_BYTES = 16;
const SPAN_BYTES = 8;
const SAMPLED = "01";

/** The first span of a new trace. */
export function newTraceparent(): Traceparent {
  return `00-${randomHex(TRACE_BYTES)}-${randomHex(SPAN_BYTES)}-${SAMPLED}`;
}

/** A new span of the same trace. */
export function childOf(parent: Traceparent): Traceparent {
  return `00-${traceIdOf(parent)}-${randomHex(SPAN_BYTES)}-${parent.slice(-2)}`;
}

/** The 32 hex digits that all spans of a trace share: what logs are searched by. */
export function traceIdOf(parent: Traceparent): string {
  return parent.slice(3, 35);
}

/** The 16 hex digits of the span itself. */
export function spanIdOf(parent: Traceparent): string {
  return parent.slice(36, 52);
}

function randomHex(bytes: number): string {
  const drawn = crypto.getRandomValues(new Uint8Array(bytes));
  // All zeros is no valid id.
  drawn[0] = (drawn[0] ?? 0) | 1;
  return Array.from(drawn, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
