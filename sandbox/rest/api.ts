import { setTimeout as sleep } from "node:timers/promises";
import type { FaultEffect, Faults } from "../faults.ts";
import type { Delivery } from "../interactions/delivery.ts";
import type { World } from "../state/world.ts";
import type { RecordedCall } from "../types.ts";
import { applicationRoutes } from "./application-routes.ts";
import { channelRoutes } from "./channel-routes.ts";
import { interactionRoutes } from "./interaction-routes.ts";
import type { RateLimiter, Verdict } from "./rate-limits.ts";
import { RestError, refusals } from "./rest-error.ts";
import { matchPath, type RestAnswer, type Route } from "./route.ts";

export const CALLS_MAX = 2000;

const ROUTES: readonly Route[] = [...applicationRoutes, ...channelRoutes, ...interactionRoutes];

export interface ApiRequest {
  method: string;
  /** Below /api/v10. */
  path: string;
  query: URLSearchParams;
  headers: { authorization?: string | undefined; contentType?: string | undefined; userAgent?: string | undefined };
  body: string;
}

/** `drop` cuts the connection without an answer. */
export type ApiAnswer = { drop: true } | { drop: false; status: number; headers: Record<string, string>; body?: unknown };

interface Matched {
  route: Route;
  params: Record<string, string>;
}

/** Discord's REST API: routes, authorization, rate limits and faults, and a record of every call. */
export class Api {
  readonly calls: RecordedCall[] = [];
  readonly #world: World;
  readonly #delivery: Delivery;
  readonly #limiter: RateLimiter;
  readonly #faults: Faults;
  readonly #stopping: AbortSignal;

  constructor(parts: { world: World; delivery: Delivery; limiter: RateLimiter; faults: Faults; stopping: AbortSignal }) {
    this.#world = parts.world;
    this.#delivery = parts.delivery;
    this.#limiter = parts.limiter;
    this.#faults = parts.faults;
    this.#stopping = parts.stopping;
  }

  async handle(request: ApiRequest): Promise<ApiAnswer> {
    const at = this.#world.now();
    const matched = match(request.method, request.path);
    const fault = this.#faults.next(request.method, request.path);
    const answer = await this.#answer(request, matched, fault);
    this.#record({
      method: request.method,
      route: matched?.route.pattern ?? request.path,
      path: request.path,
      status: answer.drop ? null : answer.status,
      body: parse(request.body),
      answer: answer.drop ? undefined : answer.body,
      at,
      userAgent: request.headers.userAgent ?? null,
      ...(fault === null ? {} : { fault: fault.kind }),
    });
    return answer;
  }

  async #answer(request: ApiRequest, matched: Matched | null, fault: FaultEffect | null): Promise<ApiAnswer> {
    if (fault?.kind === "delay") await sleep(fault.ms, undefined, { signal: this.#stopping });
    if (fault?.kind === "drop" && fault.applied !== true) return { drop: true };
    if (fault?.kind === "status" && fault.applied !== true) return failing(fault.status);
    const answer = await this.#serve(request, matched, fault);
    if (fault?.kind === "drop") return { drop: true };
    return fault?.kind === "status" ? failing(fault.status) : answer;
  }

  async #serve(request: ApiRequest, matched: Matched | null, fault: FaultEffect | null): Promise<ApiAnswer> {
    let headers: Record<string, string> = {};
    try {
      if (matched === null) throw knownPath(request.path) ? refusals.methodNotAllowed() : refusals.routeNotFound();
      const { route, params } = matched;
      if (route.auth && request.headers.authorization !== `Bot ${this.#world.botToken}`) throw refusals.unauthorized();
      const resource = route.resource.map((name) => params[name]).join("/");
      const verdict =
        fault?.kind === "rate-limit"
          ? this.#limiter.close(route.limit, resource, fault.retryAfterSeconds, fault.scope ?? "user")
          : this.#limiter.take(route.limit, resource, route.auth);
      if (!verdict.allowed) return limited(verdict);
      headers = verdict.headers;
      const answer = await this.#run(route, params, request);
      return { drop: false, ...answer, headers };
    } catch (error) {
      if (!(error instanceof RestError)) throw error;
      return { drop: false, status: error.status, headers, body: error.toJSON() };
    }
  }

  async #run(route: Route, params: Record<string, string>, request: ApiRequest): Promise<RestAnswer> {
    const body = request.body === "" ? undefined : jsonBody(request);
    return route.handle({ world: this.#world, delivery: this.#delivery, params, query: request.query, body });
  }

  #record(call: RecordedCall): void {
    this.calls.push(call);
    if (this.calls.length > CALLS_MAX) this.calls.shift();
    this.#world.events.emit("call", call);
  }
}

function match(method: string, path: string): Matched | null {
  for (const route of ROUTES) {
    if (route.method !== method) continue;
    const params = matchPath(route.pattern, path);
    if (params !== null) return { route, params };
  }
  return null;
}

function knownPath(path: string): boolean {
  return ROUTES.some((route) => matchPath(route.pattern, path) !== null);
}

function jsonBody(request: ApiRequest): unknown {
  if (request.headers.contentType?.startsWith("application/json") !== true) {
    const message = "Expected \"Content-Type\" header to be one of {'application/json'}.";
    throw refusals.invalidForm({ _errors: [{ code: "CONTENT_TYPE_INVALID", message }] });
  }
  try {
    return JSON.parse(request.body);
  } catch {
    throw refusals.invalidJson();
  }
}

function parse(body: string): unknown {
  try {
    return body === "" ? undefined : JSON.parse(body);
  } catch {
    return body;
  }
}

function limited(verdict: Verdict): ApiAnswer {
  const body = { message: "You are being rate limited.", retry_after: verdict.retryAfterSeconds, global: verdict.scope === "global" };
  return { drop: false, status: 429, headers: verdict.headers, body };
}

function failing(status: number): ApiAnswer {
  return { drop: false, status, headers: {}, body: { message: `${status}: injected by the sandbox`, code: 0 } };
}
