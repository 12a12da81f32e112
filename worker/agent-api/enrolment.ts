import type { Context } from "hono";
import { ACCESS_TOKEN_LIFE_S, CLIENT_ASSERTION_TYPE, enrollRequest } from "../../schemas/index.ts";
import { readLimited } from "../body.ts";
import type { Env } from "../env.ts";
import { guildOf } from "../env.ts";
import { isRefusal, refuse } from "../refusals.ts";
import { originOf, readBody, refused } from "./access.ts";
import { guildOfTenant, sha256Text, tenantOfCode } from "./tenant.ts";
import { assertionHolds, claimsOf, issueToken, proofHolds } from "./tokens.ts";

type C = Context<{ Bindings: Env }>;

/** Largest form of the token endpoint, in bytes. */
const FORM_BYTES_MAX = 8 * 1024;

/** `POST /v1/enroll`: a host brings a one-time code and its public key, and proves that it holds the private one. */
export async function enroll(c: C): Promise<Response> {
  const body = await readBody(c, enrollRequest);
  if (isRefusal(body)) return refused(c, body);
  const { code, publicKey, proof, heartbeat } = body.data;
  const tenant = tenantOfCode(code);
  const guildId = tenant === null ? null : await guildOfTenant(c.env.TOKEN_SECRET, tenant);
  if (tenant === null || guildId === null) return refused(c, refuse("code-invalid"));
  if (!(await proofHolds(proof, publicKey, originOf(c), code, Date.now()))) return refused(c, refuse("proof-invalid"));
  const enrolled = await guildOf(c.env, guildId).enrol({ codeHash: await sha256Text(code), publicKey, heartbeat });
  return isRefusal(enrolled) ? refused(c, enrolled) : c.json({ host: enrolled.host, tenant, name: enrolled.name });
}

/** `POST /v1/token`: an access token for a client assertion (RFC 6749 section 4.4, RFC 7523 section 2.2). */
export async function token(c: C): Promise<Response> {
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
  const key = await guildOf(c.env, guild).hostKey(claims.host);
  if (isRefusal(key)) return refused(c, key);
  if (!(await assertionHolds(assertion, key.publicKey, originOf(c)))) return refused(c, refuse("assertion-invalid"));
  const access = await issueToken(c.env.TOKEN_SECRET, originOf(c), { guild, host: claims.host });
  c.header("cache-control", "no-store");
  return c.json({ access_token: access, token_type: "Bearer", expires_in: ACCESS_TOKEN_LIFE_S });
}
