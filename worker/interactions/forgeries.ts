import type { Context } from "hono";
import * as z from "zod/mini";
import { snowflake } from "../../schemas/index.ts";
import type { Env } from "../env.ts";
import { guildOf } from "../env.ts";
import { addressOf, mayFail, tooMany } from "../limits.ts";
import { problemOf } from "../refusals.ts";
import { isKnown } from "../repositories/known-guilds.ts";
import type { Doubt } from "./authenticity.ts";

/** Larger forged bodies are not read for whom they name: a command has about 2 kB. */
const READ_BYTES_MAX = 16 * 1024;
/** One counter for all guilds and addresses. */
const ALL = "forgeries";

const naming = z.object({ guild_id: snowflake });

/**
 * Answers a request that is not certainly Discord's: 401, which Discord itself tests, and 429 once an address has failed too often.
 * What Discord signed is never counted, so no flood can keep a member's command out.
 */
export async function answerDoubt(c: Context<{ Bindings: Env }>, doubt: Doubt): Promise<Response> {
  if (!(await mayFail(c, "signature"))) {
    if ("reason" in doubt && doubt.body !== undefined) c.executionCtx.waitUntil(tellGuild(c.env, doubt.body, addressOf(c.req.raw)));
    return tooMany(c);
  }
  return "reason" in doubt ? c.text(doubt.reason, doubt.status) : c.json(problemOf(doubt.refusal).body, doubt.status);
}

/**
 * Tells the guild that a flood of forged interactions names. Nobody has proven that this guild is meant, or that it exists: so only a
 * few reports go on in all, and none to a guild that has no object yet, which asking it would create.
 */
async function tellGuild(env: Env, body: Uint8Array, address: string | null): Promise<void> {
  const guild = namedIn(body);
  if (guild === null) return;
  const { success } = await env.LIMIT_FORGERIES.limit({ key: ALL });
  if (success && (await isKnown(env.BACKUPS, guild))) await guildOf(env, guild).noteForgeries(address);
}

function namedIn(body: Uint8Array): string | null {
  if (body.byteLength > READ_BYTES_MAX) return null;
  try {
    const parsed = naming.safeParse(JSON.parse(new TextDecoder().decode(body)));
    return parsed.success ? parsed.data.guild_id : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
