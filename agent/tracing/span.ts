import type { Traceparent } from "../../schemas/index.ts";

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** `consumer`: work that came through a queue. `client`: a request to somebody else. */
export type SpanKind = "internal" | "client" | "producer" | "consumer";

/** A span that has ended. */
export interface EndedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: SpanKind;
  /** Milliseconds since the epoch, with parts of them. */
  startedAt: number;
  endedAt: number;
  attributes: Attributes;
  /** Why it failed; a stable code where there is one. */
  error?: string;
}

export interface SpanStart {
  parent?: Traceparent;
  kind?: SpanKind;
  attributes?: Attributes;
}

export interface SpanEnd {
  error?: string;
  attributes?: Attributes;
}
