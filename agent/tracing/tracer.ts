import { childOf, newTraceparent, spanIdOf, type Traceparent, traceIdOf } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { Attributes, EndedSpan, SpanEnd, SpanStart } from "./span.ts";

/** Takes spans that ended. Must be quick and must not throw: it runs in the middle of the work. */
export type SpanSink = (span: EndedSpan) => void;

export interface TracerDeps {
  clock: Pick<Clock, "now">;
  /** Milliseconds that never jump, since some moment. */
  monotonic: () => number;
}

/** Makes spans. As long as nobody wants them they cost an id each. */
export class Tracer {
  readonly #deps: TracerDeps;
  sink: SpanSink | undefined;

  constructor(deps: TracerDeps) {
    this.#deps = deps;
  }

  /** Without a parent, the first span of a new trace. */
  start(name: string, { parent, kind = "internal", attributes = {} }: SpanStart = {}): Span {
    const traceparent = parent === undefined ? newTraceparent() : childOf(parent);
    const facts = { traceparent, parent, name, kind, attributes };
    return new Span(facts, this.#deps, (span) => this.sink?.(span));
  }
}

interface SpanFacts extends Required<Pick<SpanStart, "kind" | "attributes">> {
  traceparent: Traceparent;
  parent: Traceparent | undefined;
  name: string;
}

/** A span under way. */
export class Span {
  readonly traceparent: Traceparent;
  readonly #facts: SpanFacts;
  readonly #deps: TracerDeps;
  readonly #sink: SpanSink;
  readonly #startedAt: number;
  readonly #startedTick: number;
  #ended = false;

  constructor(facts: SpanFacts, deps: TracerDeps, sink: SpanSink) {
    this.traceparent = facts.traceparent;
    this.#facts = facts;
    this.#deps = deps;
    this.#sink = sink;
    this.#startedAt = deps.clock.now();
    this.#startedTick = deps.monotonic();
  }

  /** How long it has taken so far, in seconds. */
  get seconds(): number {
    return (this.#deps.monotonic() - this.#startedTick) / 1000;
  }

  /** The first end counts. */
  end({ error, attributes = {} }: SpanEnd = {}): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!isSampled(this.traceparent)) return;
    const { name, kind, parent, attributes: known } = this.#facts;
    const all: Attributes = error === undefined ? { ...known, ...attributes } : { ...known, ...attributes, "error.type": error };
    this.#sink({
      traceId: traceIdOf(this.traceparent),
      spanId: spanIdOf(this.traceparent),
      ...(parent !== undefined && { parentSpanId: spanIdOf(parent) }),
      name,
      kind,
      startedAt: this.#startedAt,
      // The wall clock may jump meanwhile, and then a span would end before it began.
      endedAt: this.#startedAt + this.#deps.monotonic() - this.#startedTick,
      attributes: all,
      ...(error !== undefined && { error }),
    });
  }
}

/** The lowest bit of the flags: whoever began the trace wants it recorded. */
function isSampled(traceparent: Traceparent): boolean {
  return (Number.parseInt(traceparent.slice(-2), 16) & 1) === 1;
}
