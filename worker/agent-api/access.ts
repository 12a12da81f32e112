import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type * as z from "zod/mini";
import { readLimited } from "../body.ts";
import type { Env } from "../env.ts";
import { guildOf } from "../env.ts";
import type { Guild } from "../guild/guild.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, problemOf, refuse } from "../refusals.ts";
import type { Caller } from "./tokens.ts";
import { readToken } from "./tokens.ts";

export interface AgentEnv {
  Bindings: Env;
  Variables: { caller: Caller; guild: DurableObjectStub<Guild> };
}

/** Largest JSON body of an agent, in bytes: a poll of 50 servers with all its fields, or 10,000 parts. */
export const JSON_BYTES_MAX = 2 * 1024 * 1024;

/** Lets only enrolled hosts through, and gives them the object of their own guild: no route takes a guild from the request. */
export const enrolledOnly = createMiddleware<AgentEnv>(async (c, next) => {
  const caller = await readToken(c.env.TOKEN_SECRET, originOf(c), c.req.header("authorization"));
  if (isRefusal(caller)) return refused(c, caller);
  c.set("caller", caller);
  c.set("guild", guildOf(c.env, caller.guild));
  return next();
});

export function originOf(c: Context): string {
  return new URL(c.req.url).origin;
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
  const [issue] = parsed.error.issues;
  return refuse("body-invalid", { reason: `${issue?.path.join(".") || "the body"}: ${issue?.message ?? "does not fit"}`.slice(0, 300) });
}
