import { compactVerify, decodeJwt, errors, importJWK, jwtVerify, SignJWT } from "jose";
import { ACCESS_TOKEN_LIFE_S, ASSERTION_LIFE_S, hostId, snowflake } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";

/** Who calls: a host of a guild. Taken from a token that this Worker signed. */
export interface Caller {
  guild: string;
  host: string;
}

/** How far a host's clock may be off, in seconds. */
const CLOCK_SLACK_S = 60;
/** Secrets shorter than this would make tokens guessable. */
const SECRET_LENGTH_MIN = 32;
const encoder = new TextEncoder();

/** A short-lived access token (JWT, HS256): issuer and audience are this Worker's origin, subject the host, `guild` the guild. */
export async function issueToken(secret: string, origin: string, caller: Caller): Promise<string> {
  return new SignJWT({ guild: caller.guild })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .setIssuer(origin)
    .setAudience(`${origin}/v1`)
    .setSubject(caller.host)
    .setIssuedAt()
    .setExpirationTime(`${ACCESS_TOKEN_LIFE_S}s`)
    .sign(keyOf(secret));
}

export async function readToken(secret: string, origin: string, header: string | undefined): Promise<Caller | Refusal> {
  const token = /^Bearer ([A-Za-z0-9._-]{20,2000})$/.exec(header ?? "")?.[1];
  if (token === undefined) return refuse("token-missing");
  try {
    const options = {
      issuer: origin,
      audience: `${origin}/v1`,
      algorithms: ["HS256"],
      typ: "at+jwt",
      requiredClaims: ["exp", "sub", "guild"],
    };
    const { payload } = await jwtVerify(token, keyOf(secret), options);
    const host = hostId.safeParse(payload.sub);
    const guild = snowflake.safeParse(payload.guild);
    return host.success && guild.success ? { host: host.data, guild: guild.data } : refuse("token-invalid");
  } catch (error) {
    if (error instanceof errors.JWTExpired) return refuse("token-expired");
    if (error instanceof errors.JOSEError) return refuse("token-invalid");
    throw error;
  }
}

/** What a client assertion claims, before anything of it is checked: enough to find the key that checks it. */
export function claimsOf(assertion: string): { host: string; tenant: string } | null {
  try {
    const claims = decodeJwt(assertion);
    const host = hostId.safeParse(claims.sub);
    return host.success && claims.iss === claims.sub && typeof claims.tenant === "string"
      ? { host: host.data, tenant: claims.tenant }
      : null;
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}

/** Whether a client assertion (RFC 7523) is signed by the host's key, for this token endpoint, just now. */
export async function assertionHolds(assertion: string, publicKey: string, origin: string): Promise<boolean> {
  try {
    await jwtVerify(assertion, await ed25519(publicKey), {
      audience: `${origin}/v1/token`,
      algorithms: ["EdDSA"],
      clockTolerance: CLOCK_SLACK_S,
      maxTokenAge: `${ASSERTION_LIFE_S}s`,
      requiredClaims: ["exp", "iat", "jti"],
    });
    return true;
  } catch (error) {
    if (error instanceof errors.JOSEError) return false;
    throw error;
  }
}

/** Whether an enrolment request is signed by the very key that it brings, over this origin and code. */
export async function proofHolds(proof: string, publicKey: string, origin: string, code: string, now: number): Promise<boolean> {
  try {
    const { payload } = await compactVerify(proof, await ed25519(publicKey), { algorithms: ["EdDSA"] });
    const claims = JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown> | null;
    const age = now / 1000 - Number(claims?.iat);
    return claims?.aud === origin && claims.code === code && Math.abs(age) <= ASSERTION_LIFE_S + CLOCK_SLACK_S;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof SyntaxError || error instanceof DOMException) return false;
    throw error;
  }
}

function ed25519(publicKey: string) {
  return importJWK({ kty: "OKP", crv: "Ed25519", x: publicKey }, "EdDSA");
}

function keyOf(secret: string): Uint8Array {
  if (secret.length < SECRET_LENGTH_MIN) throw new Error(`TOKEN_SECRET must have at least ${SECRET_LENGTH_MIN} characters`);
  return encoder.encode(secret);
}
