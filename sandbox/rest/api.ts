import { setTimeout as sleep } from "node:timers/promises";
import type { Upload } from "../check/attachments.ts";
import { isForm, readFormBody } from "../check/uploads.ts";
import type { FaultEffect, Faults } from "../faults.ts";
import type { Delivery } from "../interactions/delivery.ts";
import type { World } from "../state/world.ts";
import type { RecordedCall } from "../types.ts";
import { applicationRoutes } from "./application-routes.ts";
import { channelRoutes } from "./channel-routes.ts";
import { guildRoutes } from "./guild-routes.ts";
import { interactionRoutes } from "./interaction-routes.ts";
import type { RateLimiter, Verdict } from "./rate-limits.ts";
import { RestError, refusals } from "./rest-error.ts";
import { matchPath, type RestAnswer, type Route } from "./route.ts";
import { userRoutes } from "./user-routes.ts";

export const CALLS_MAX = 2000;

const ROUTES: readonly Route[] = [...applicationRoutes, ...userRoutes, ...guildRoutes, ...channelRoutes, ...interactionRoutes];

export interface ApiRequest {
  method: string;
  /** Below /api/v10. */
  path: string;
  query: URLSearchParams;
  headers: { authorization?: string | undefined; contentType?: string | undefined; userAgent?: string | undefined };
  body: Buffer<ArrayBuffer>;
}

/** What a body says, as far as it can be read. */
interface Body {
  json: unknown;
  uploads: readonly Upload[];
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
    const { json, uploads } = await recordable(request);
    this.#record({
      method: request.method,
      route: matched?.route.pattern ?? request.path,
      path: request.path,
      status: answer.drop ? null : answer.status,
      body: json,
      ...(uploads.length === 0 ? {} : { files: uploads.map(({ bytes, index: _, ...file }) => ({ ...file, size: bytes.length })) }),
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
    const { json, uploads } = await readBody(route, request);
    return route.handle({ world: this.#world, delivery: this.#delivery, params, query: request.query, body: json, uploads });
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

async function readBody(route: Route, { body, headers }: ApiRequest): Promise<Body> {
  const { contentType = "" } = headers;
  if (body.length === 0) return { json: undefined, uploads: [] };
  if (route.files === true && isForm(contentType)) return readFormBody(body, contentType);
  if (!contentType.startsWith("application/json")) {
    const message = `Expected "Content-Type" header to be one of {'application/json'${route.files === true ? ", 'multipart/form-data'" : ""}}.`;
    throw refusals.invalidForm({ _errors: [{ code: "CONTENT_TYPE_INVALID", message }] });
  }
  try {
    return { json: JSON.parse(body.toString("utf8")), uploads: [] };
  } catch {
    throw refusals.invalidJson();
  }
}

/** The body for the record of calls: what cannot be read stands there as text. */
async function recordable({ body, headers }: ApiRequest): Promise<Body> {
  if (body.length === 0) return { json: undefined, uploads: [] };
  const { contentType = "" } = headers;
  try {
    return isForm(contentType) ? await readFormBody(body, contentType) : { json: JSON.parse(body.toString("utf8")), uploads: [] };
  } catch {
    return { json: isForm(contentType) ? undefined : body.toString("utf8"), uploads: [] };
  }
}

function limited(verdict: Verdict): ApiAnswer {
  const body = { message: "You are being rate limited.", retry_after: verdict.retryAfterSeconds, global: verdict.scope === "global" };
  return { drop: false, status: 429, headers: verdict.headers, body };
}

function failing(status: number): ApiAnswer {
  return { drop: false, status, headers: {}, body: { message: `${status}: injected by the sandbox`, code: 0 } };
}
