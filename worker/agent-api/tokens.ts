import { compactVerify, decodeJwt, errors, importJWK, jwtVerify, SignJWT } from "jose";
import { ACCESS_TOKEN_LIFE_S, hostId, snowflake } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";
import type { Claims } from "./assertion-rules.ts";

/** Who calls: a host of a guild. Taken from a token that this Worker signed. */
export interface Caller {
  guild: string;
  host: string;
}

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

/** The claims of a compact JWS that the key signed (EdDSA), or null. Nothing but the signature is checked. */
export async function claimsSignedBy(publicKey: string, jws: string): Promise<Claims | null> {
  try {
    const { payload } = await compactVerify(jws, await ed25519(publicKey), { algorithms: ["EdDSA"] });
    const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
    return typeof claims === "object" && claims !== null ? (claims as Claims) : null;
  } catch (error) {
    // A DOMException: these 32 bytes are no key.
    if (error instanceof errors.JOSEError || error instanceof SyntaxError || error instanceof DOMException) return null;
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
