import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type * as z from "zod/mini";
import { repositoryFileName, repositoryFolder, serverId } from "../../schemas/index.ts";
import type { AgentEnv } from "../agent-api/access.ts";
import { originOf, readParam, refused } from "../agent-api/access.ts";
import { sha256Text } from "../agent-api/tenant.ts";
import { readToken } from "../agent-api/tokens.ts";
import type { Env } from "../env.ts";
import { guildOf } from "../env.ts";
import type { Guild } from "../guild/guild.ts";
import type { RepositoryCall, RepositoryCaller } from "../guild/repository-desk.ts";
import type { RepositoryAct } from "../guild/repository-rules.ts";
import { addressOf, mayFail, tooMany } from "../limits.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import { claimOf, readBasic } from "./credentials.ts";
import { fileKey } from "./files.ts";

export interface RepositoryEnv {
  Bindings: Env;
  Variables: {
    caller: RepositoryCaller;
    guildId: string;
    guild: DurableObjectStub<Guild>;
    trick: AgentEnv["Variables"]["trick"];
  };
}

export type C = Context<RepositoryEnv>;

/** Lets hosts in by their access token and the `restic` program by its credential, each to its own guild only. What they may do there the guild's object decides. */
export const repositoryAccess = createMiddleware<RepositoryEnv>(async (c, next) => {
  const header = c.req.header("authorization");
  const known = /^basic /i.test(header ?? "") ? await byCredential(c, header) : await byToken(c, header);
  if (known instanceof Response) return known;
  c.set("caller", known.caller);
  c.set("guildId", known.guild);
  c.set("guild", guildOf(c.env, known.guild));
  await next();
  const trick = c.get("trick");
  if (trick === undefined) return undefined;
  const { caller } = known;
  if (caller.kind === "host") await c.get("guild").notePathTrick(caller, trick);
  else await c.get("guild").noteCredentialTrick(caller, trick);
  return undefined;
});

type Known = { caller: RepositoryCaller; guild: string };

async function byToken(c: C, header: string | undefined): Promise<Known | Response> {
  const caller = await readToken(c.env.TOKEN_SECRET, originOf(c), header);
  if (isRefusal(caller)) {
    // As for every route of agents: a token that has run out is our own, one that is wrong may be a guess.
    const guess = caller.refused !== "token-expired";
    return guess && !(await mayFail(c, "token")) ? tooMany(c) : denied(c, caller);
  }
  return { caller: { kind: "host", host: caller.host, address: addressOf(c.req.raw) }, guild: caller.guild };
}

async function byCredential(c: C, header: string | undefined): Promise<Known | Response> {
  const basic = readBasic(header);
  const claim = basic === null ? null : await claimOf(c.env.TOKEN_SECRET, basic);
  const address = addressOf(c.req.raw);
  if (basic !== null && claim?.genuine === true) {
    return { caller: { kind: "credential", hash: await sha256Text(basic.password), address }, guild: claim.guild };
  }
  // Guesses that name a guild by its tag are told to it, as far as their address may fail.
  if (!(await mayFail(c, "token"))) return tooMany(c);
  if (claim !== null) await guildOf(c.env, claim.guild).noteBadCredential(address);
  return denied(c, refuse("credential-invalid"));
}

/** A refusal. Programs that ask for a password when they hear 401 are told that one would do. */
export function denied(c: C, refusal: Refusal): Response {
  const response = refused(c, refusal);
  if (response.status === 401) response.headers.set("www-authenticate", 'Basic realm="ReconSync repositories", charset="UTF-8"');
  return response;
}

/** The server that the address names. */
export function serverOf(c: C): string | null {
  return readParam(c, "server", serverId);
}

/** The folder that the address names. */
export function folderOf(c: C): z.infer<typeof repositoryFolder> | null {
  return readParam(c, "type", repositoryFolder);
}

/** The file that the address names, as the guild's object and R2 know it. Null when there cannot be such a file. */
export function fileOf(c: C, act: RepositoryAct, bytes = 0): { call: RepositoryCall; key: string } | null {
  // One after the other: the first that does not fit is what is looked at for tricks.
  const server = serverOf(c);
  if (server === null) return null;
  const isConfig = c.req.param("type") === undefined;
  const type = isConfig ? "config" : folderOf(c);
  if (type === null) return null;
  const name = isConfig ? "config" : readParam(c, "name", repositoryFileName);
  if (name === null) return null;
  return { call: { caller: c.get("caller"), server, act, type, name, bytes }, key: fileKey(c.get("guildId"), server, type, name) };
}
