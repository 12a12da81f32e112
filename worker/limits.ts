import type { Context } from "hono";
import { limitKey } from "./addresses.ts";
import type { Env } from "./env.ts";
import { problemOf, refuse } from "./refusals.ts";

/**
 * Limits on what nobody has proven to come from anybody. Each binding counts in its own Cloudflare location and may let a few more
 * through (Cloudflare's documentation, Rate Limiting): they keep abuse cheap, they are no exact bound.
 */

/** The period of every limit in wrangler.toml, in seconds: Cloudflare takes 10 or 60. */
export const LIMIT_PERIOD_S = 60;

/** What failed, so that one kind of failure does not use up the room of another. */
type Failure = "signature" | "token" | "route";

/** As much of a request's context as limits need. */
type Call = Pick<Context<{ Bindings: Env }>, "env"> & { req: { raw: Request } };

/** The address that calls, as Cloudflare's edge names it: it replaces what the caller says. Null where there is no such edge. */
export function addressOf(request: Request): string | null {
  return request.headers.get("cf-connecting-ip");
}

/** Counts one call; false when that is too many. `what` keeps callers apart who share a limit. */
export async function withinLimit(limit: RateLimit, request: Request, what: string): Promise<boolean> {
  const { success } = await limit.limit({ key: `${limitKey(addressOf(request))} ${what}` });
  return success;
}

/** Counts something that failed; false when the address has failed too often. What succeeds is never counted here. */
export function mayFail(c: Call, failure: Failure): Promise<boolean> {
  return withinLimit(c.env.LIMIT_FAILURES, c.req.raw, failure);
}

/** 429, with the time after which the limit has certainly forgotten. */
export function tooMany(c: Context): Response {
  const { status, body } = problemOf(refuse("too-many-requests", { seconds: String(LIMIT_PERIOD_S) }));
  c.header("retry-after", String(LIMIT_PERIOD_S));
  return c.json(body, status);
}
