import type { Attributes, EndedSpan, SpanKind } from "./span.ts";

/** `SpanKind` of opentelemetry-proto, trace.proto; enums are numbers in OTLP/JSON. */
const KIND: Record<SpanKind, number> = { internal: 1, client: 3, producer: 4, consumer: 5 };
const STATUS_ERROR = 2;

export interface Resource {
  attributes: Attributes;
  /** Name and version of what made the spans. */
  scope: { name: string; version: string };
}

/** An `ExportTraceServiceRequest` in OTLP's JSON: ids in hex, 64-bit numbers as text. */
export function encodeSpans(spans: readonly EndedSpan[], { attributes, scope }: Resource): string {
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: keyValues(attributes) }, scopeSpans: [{ scope, spans: spans.map(encodeSpan) }] }],
  });
}

function encodeSpan({ traceId, spanId, parentSpanId, name, kind, startedAt, endedAt, attributes, error }: EndedSpan) {
  return {
    traceId,
    spanId,
    ...(parentSpanId !== undefined && { parentSpanId }),
    name,
    kind: KIND[kind],
    startTimeUnixNano: nanos(startedAt),
    endTimeUnixNano: nanos(endedAt),
    attributes: keyValues(attributes),
    ...(error !== undefined && { status: { code: STATUS_ERROR, message: error } }),
  };
}

/** Microseconds fit into a double exactly until the year 2255; nanoseconds do not. */
function nanos(ms: number): string {
  return `${Math.round(ms * 1000)}000`;
}

function keyValues(attributes: Attributes) {
  return Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: anyValue(value) }]));
}

function anyValue(value: string | number | boolean) {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** How many spans a collector says it did not take, out of its `ExportTraceServiceResponse`. */
export function rejectedSpans(body: string): number {
  try {
    const parsed = JSON.parse(body) as { partialSuccess?: { rejectedSpans?: string | number } } | null;
    const rejected = Number(parsed?.partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  } catch {
    // Some collectors answer a success with nothing, or with protobuf.
    return 0;
  }
}
