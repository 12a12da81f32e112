import type { Context } from "hono";
import { ACCESS_TOKEN_LIFE_S, CLIENT_ASSERTION_TYPE, enrollRequest } from "../../schemas/index.ts";
import { readLimited } from "../body.ts";
import type { Env } from "../env.ts";
import { guildOf } from "../env.ts";
import { addressOf, tooMany, withinLimit } from "../limits.ts";
import { isRefusal, refuse } from "../refusals.ts";
import { markKnown } from "../repositories/known-guilds.ts";
import { originOf, readBody, refused } from "./access.ts";
import { proofProblem } from "./assertion-rules.ts";
import { guildOfTenant, sha256Text, tenantOfCode } from "./tenant.ts";
import { claimsOf, claimsSignedBy, issueToken } from "./tokens.ts";
import { versionProblem } from "./version-gate.ts";

type C = Context<{ Bindings: Env }>;

/** Largest form of the token endpoint, in bytes. */
const FORM_BYTES_MAX = 8 * 1024;

/** `POST /v1/enroll`: a host brings a one-time code and its public key, and proves that it holds the private one. */
export async function enroll(c: C): Promise<Response> {
  if (!(await withinLimit(c.env.LIMIT_ENROL, c.req.raw, "enrol"))) return tooMany(c);
  const body = await readBody(c, enrollRequest);
  if (isRefusal(body)) return refused(c, body);
  const { code, publicKey, proof, heartbeat } = body.data;
  const tenant = tenantOfCode(code);
  const guildId = tenant === null ? null : await guildOfTenant(c.env.TOKEN_SECRET, tenant);
  if (tenant === null || guildId === null) return refused(c, refuse("code-invalid"));
  const claims = await claimsSignedBy(publicKey, proof);
  if (claims === null) return refused(c, refuse("proof-invalid"));
  const problem = proofProblem(claims, { origin: originOf(c), code }, Date.now() / 1000) ?? versionProblem(heartbeat, c.env);
  if (problem !== null) return refused(c, problem);
  const address = addressOf(c.req.raw);
  const enrolled = await guildOf(c.env, guildId).enrol({ codeHash: await sha256Text(code), publicKey, heartbeat, address });
  if (isRefusal(enrolled)) return refused(c, enrolled);
  c.executionCtx.waitUntil(markKnown(c.env.BACKUPS, guildId));
  return c.json({ host: enrolled.host, tenant, name: enrolled.name });
}

/** `POST /v1/token`: an access token for a client assertion (RFC 6749 section 4.4, RFC 7523 section 2.2). */
export async function token(c: C): Promise<Response> {
  if (!(await withinLimit(c.env.LIMIT_TOKEN, c.req.raw, "token"))) return tooMany(c);
  const bytes = await readLimited(c.req.raw, FORM_BYTES_MAX);
  if (bytes === null) return refused(c, refuse("body-too-large", { limit: String(FORM_BYTES_MAX) }));
  const form = new URLSearchParams(new TextDecoder().decode(bytes));
  if (form.get("grant_type") !== "client_credentials" || form.get("client_assertion_type") !== CLIENT_ASSERTION_TYPE) {
    return refused(c, refuse("grant-unsupported"));
  }
  const assertion = form.get("client_assertion") ?? "";
  const claims = claimsOf(assertion);
  const guild = claims === null ? null : await guildOfTenant(c.env.TOKEN_SECRET, claims.tenant);
  if (claims === null || guild === null) return refused(c, refuse("assertion-invalid"));
  // By address and host, so that nobody can use up the room of a host elsewhere.
  if (!(await withinLimit(c.env.LIMIT_TOKEN_OF_HOST, c.req.raw, claims.host))) return tooMany(c);
  const from = { host: claims.host, address: addressOf(c.req.raw) };
  const admitted = await guildOf(c.env, guild).admitAssertion(from, assertion, originOf(c));
  if (isRefusal(admitted)) return refused(c, admitted);
  const access = await issueToken(c.env.TOKEN_SECRET, originOf(c), { guild, host: claims.host });
  c.header("cache-control", "no-store");
  return c.json({ access_token: access, token_type: "Bearer", expires_in: ACCESS_TOKEN_LIFE_S });
}
