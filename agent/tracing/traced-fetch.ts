import { TRACEPARENT_HEADER } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { clockOffset } from "../control-plane/clock-skew.ts";
import type { Fetch } from "../control-plane/exchange.ts";
import type { AgentMetrics, StatusClass } from "../health/agent-metrics.ts";
import { currentTrace } from "./context.ts";
import type { Tracer } from "./tracer.ts";

/** The Worker's routes, with their ids left out. Metrics and spans are named by these alone. */
const ROUTES: readonly (readonly [RegExp, string])[] = [
  [/^\/v1\/jobs\/[^/]+\/progress$/, "/v1/jobs/:id/progress"],
  [/^\/v1\/jobs\/[^/]+\/result$/, "/v1/jobs/:id/result"],
  [/^\/v1\/archives\/[^/]+\/parts\/[^/]+$/, "/v1/archives/:upload/parts/:number"],
  [/^\/v1\/archives\/[^/]+\/(manifest|complete)$/, "/v1/archives/:upload/$1"],
  [/^\/v1\/archives\/[^/]+$/, "/v1/archives/:upload"],
  [/^\/v1\/(poll|token|enroll|rotate|reports|archives)$/, "/v1/$1"],
];

/** Only an answer that came within this says something of the clock: a poll is held for longer than most clocks are off. In milliseconds. */
const SKEW_ANSWER_MS = 5000;

export interface TracedFetchDeps {
  fetch: Fetch;
  clock: Pick<Clock, "now">;
  tracer: Tracer;
  metrics: AgentMetrics;
}

/** A `fetch` for the Worker whose requests are spans and are counted. Each names its span in `traceparent`. */
export function tracedFetch({ fetch, clock, tracer, metrics }: TracedFetchDeps): Fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const method = init?.method ?? "GET";
    const route = routeOf(url.pathname);
    const span = tracer.start(`${method} ${route}`, {
      parent: currentTrace()?.traceparent,
      kind: "client",
      attributes: { "http.request.method": method, "url.template": route, "server.address": url.hostname },
    });
    const headers = new Headers(init?.headers);
    headers.set(TRACEPARENT_HEADER, span.traceparent);
    const note = (status: StatusClass, good: boolean) => {
      metrics.requestSeconds.observe({ route }, span.seconds);
      metrics.requests.add({ route, status });
      if (route === "/v1/token") metrics.tokens.add({ outcome: good ? "succeeded" : "failed" });
    };
    const sentAt = clock.now();
    try {
      const response = await fetch(input, { ...init, headers });
      note(classOf(response.status), response.ok);
      const receivedAt = clock.now();
      const offset = clockOffset(response.headers.get("date"), sentAt, receivedAt);
      if (offset !== undefined && receivedAt - sentAt < SKEW_ANSWER_MS) metrics.clockSkew.set({}, offset / 1000);
      const error = response.status >= 400 ? String(response.status) : undefined;
      span.end({ error, attributes: { "http.response.status_code": response.status } });
      return response;
    } catch (error) {
      note("none", false);
      span.end({ error: error instanceof Error ? error.name : "unknown" });
      throw error;
    }
  };
}

/** The route that a path belongs to; `other` when it is none of ours. */
export function routeOf(path: string): string {
  for (const [pattern, route] of ROUTES) if (pattern.test(path)) return path.replace(pattern, route);
  return "other";
}

function classOf(status: number): StatusClass {
  if (status < 300) return "2xx";
  if (status < 400) return "3xx";
  return status < 500 ? "4xx" : "5xx";
}
