import { onTestFinished } from "vitest";
import * as z from "zod/mini";
import { type Answer, type Asked, FakeHttp } from "../../testing/fake-http.ts";

const id = (digits: number) => z.string().check(z.regex(new RegExp(`^(?!0+$)[0-9a-f]{${digits}}$`)));
const nanos = z.string().check(z.regex(/^[0-9]{19}$/));
const anyValue = z.union([
  z.strictObject({ stringValue: z.string() }),
  z.strictObject({ boolValue: z.boolean() }),
  z.strictObject({ intValue: z.string().check(z.regex(/^-?[0-9]+$/)) }),
  z.strictObject({ doubleValue: z.number() }),
]);
const attributes = z.array(z.strictObject({ key: z.string().check(z.minLength(1)), value: anyValue }));
const span = z.strictObject({
  traceId: id(32),
  spanId: id(16),
  parentSpanId: z.optional(id(16)),
  name: z.string().check(z.minLength(1)),
  kind: z.int().check(z.minimum(1), z.maximum(5)),
  startTimeUnixNano: nanos,
  endTimeUnixNano: nanos,
  attributes,
  status: z.optional(z.strictObject({ code: z.int(), message: z.optional(z.string()) })),
});
/** `ExportTraceServiceRequest` of opentelemetry-proto in OTLP's JSON, as far as we use it. */
const request = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes }),
      scopeSpans: z.array(z.strictObject({ scope: z.strictObject({ name: z.string(), version: z.string() }), spans: z.array(span) })),
    }),
  ),
});

export interface CollectedSpan extends Omit<z.infer<typeof span>, "attributes"> {
  attributes: Record<string, unknown>;
  resource: Record<string, unknown>;
}

/** A collector that takes OTLP over HTTP in JSON, strictly, on loopback. */
export class Collector {
  readonly spans: CollectedSpan[] = [];
  readonly requests: Asked[] = [];
  /** May answer in its place. */
  fault: ((asked: Asked) => Answer | undefined | Promise<Answer | undefined>) | undefined;
  readonly #http = new FakeHttp((asked) => this.#take(asked));

  static async start(): Promise<Collector> {
    const collector = new Collector();
    await collector.start();
    onTestFinished(async () => {
      await collector.stop();
      if (collector.errors.length > 0) throw new AggregateError(collector.errors, "the collector could not read what was sent");
    });
    return collector;
  }

  get origin(): string {
    return this.#http.origin;
  }

  get errors(): readonly unknown[] {
    return this.#http.errors;
  }

  start(): Promise<void> {
    return this.#http.start();
  }

  stop(): Promise<void> {
    return this.#http.stop();
  }

  named(name: string): CollectedSpan[] {
    return this.spans.filter((it) => it.name === name);
  }

  async #take(asked: Asked): Promise<Answer> {
    this.requests.push(asked);
    const fault = await this.fault?.(asked);
    if (fault !== undefined) return fault;
    if (asked.method !== "POST" || asked.path !== "/v1/traces") return { status: 404 };
    if (asked.headers["content-type"] !== "application/json") return { status: 415 };
    for (const { resource, scopeSpans } of request.parse(JSON.parse(asked.body.toString())).resourceSpans) {
      for (const it of scopeSpans.flatMap(({ spans }) => spans)) {
        if (BigInt(it.endTimeUnixNano) < BigInt(it.startTimeUnixNano)) throw new Error(`${it.name} ends before it begins`);
        this.spans.push({ ...it, attributes: plain(it.attributes), resource: plain(resource.attributes) });
      }
    }
    return { status: 200, json: {} };
  }
}

function plain(list: z.infer<typeof attributes>): Record<string, unknown> {
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}
