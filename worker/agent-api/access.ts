import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type * as z from "zod/mini";
import { TRACEPARENT_HEADER, traceIdOf, traceparent } from "../../schemas/index.ts";
import { readLimited } from "../body.ts";
import type { Env } from "../env.ts";
import { guildOf } from "../env.ts";
import type { Guild } from "../guild/guild.ts";
import type { HostCall } from "../guild/host-call.ts";
import { addressOf, mayFail, tooMany } from "../limits.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, problemOf, refuse } from "../refusals.ts";
import type { PathTrick } from "./path-tricks.ts";
import { trickIn } from "./path-tricks.ts";
import type { Caller } from "./tokens.ts";
import { readToken } from "./tokens.ts";

export interface AgentEnv {
  Bindings: Env;
  Variables: {
    /** The enrolled host that calls, and its guild. */
    caller: Caller & HostCall;
    guild: DurableObjectStub<Guild>;
    /** What the caller tried, when a name in its request is made to leave its place. */
    trick: PathTrick | undefined;
  };
}

/** Largest JSON body of an agent, in bytes: a poll of 50 servers with all its fields, or 10,000 parts. */
export const JSON_BYTES_MAX = 2 * 1024 * 1024;

/** Lets only enrolled hosts through, and gives them the object of their own guild: no route takes a guild from the request. */
export const enrolledOnly = createMiddleware<AgentEnv>(async (c, next) => {
  const caller = await readToken(c.env.TOKEN_SECRET, originOf(c), c.req.header("authorization"));
  if (isRefusal(caller)) {
    // A token that has run out is our own; one that is wrong may be a guess.
    const guess = caller.refused !== "token-expired";
    return guess && !(await mayFail(c, "token")) ? tooMany(c) : refused(c, caller);
  }
  c.set("caller", { ...caller, address: addressOf(c.req.raw) });
  c.set("guild", guildOf(c.env, caller.guild));
  await next();
  const trick = c.get("trick");
  if (trick !== undefined) await c.get("guild").notePathTrick(c.get("caller"), trick);
  return undefined;
});

/** A parameter of the route that has to fit its schema; null when it does not. */
export function readParam<S extends z.ZodMiniType>(c: Context, name: string, schema: S): z.output<S> | null {
  const value = c.req.param(name);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  c.set("trick", trickIn({ [name]: value }, [{ path: [name] }]));
  return null;
}

export function originOf(c: Context): string {
  return new URL(c.req.url).origin;
}

/** The trace that a request belongs to, when it names one in the right form. */
export function traceOf(c: Context): string | undefined {
  const named = traceparent.safeParse(c.req.header(TRACEPARENT_HEADER));
  return named.success ? traceIdOf(named.data) : undefined;
}

export function refused(c: Context, refusal: Refusal): Response {
  const { status, body } = problemOf(refusal);
  return c.json(body, status);
}

/** A JSON body that fits its schema, or why not. */
export async function readBody<S extends z.ZodMiniType>(c: Context, schema: S): Promise<{ data: z.output<S> } | Refusal> {
  const bytes = await readLimited(c.req.raw, JSON_BYTES_MAX);
  if (bytes === null) return refuse("body-too-large", { limit: String(JSON_BYTES_MAX) });
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return refuse("body-invalid", { reason: "it is not JSON" });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { data: parsed.data };
  c.set("trick", trickIn(json, parsed.error.issues));
  const [issue] = parsed.error.issues;
  return refuse("body-invalid", { reason: `${issue?.path.join(".") || "the body"}: ${issue?.message ?? "does not fit"}`.slice(0, 300) });
}
