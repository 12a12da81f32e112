import { ASSERTION_LIFE_S } from "../../schemas/index.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";

/** Pure rules of what a host has signed. Call them only after the signature was found good, so that nobody can probe. */

/** How far a host's clock may be off, in seconds. */
export const CLOCK_SLACK_S = 60;
/** Longest `jti`; ours has 26 characters, a UUID 36. */
const JTI_LENGTH_MAX = 64;

/** What a token says, as far as we read it. Nothing of it is certain. */
export type Claims = Partial<Record<"aud" | "iss" | "sub" | "iat" | "exp" | "jti" | "code" | "host" | "key" | "tenant", unknown>>;

/** `until` is when the assertion can no longer be used, in seconds: so long its `jti` has to be remembered. */
export type Assertion = { jti: string; until: number };

/** A client assertion (RFC 7523, section 3): for this token endpoint, from this host, made just now. */
export function readAssertion(claims: Claims, expected: { origin: string; host: string }, nowS: number): Assertion | Refusal {
  const { iss, sub, iat, exp, jti } = claims;
  const mine = iss === expected.host && sub === expected.host && isFor(claims, `${expected.origin}/v1/token`);
  if (!mine || typeof jti !== "string" || jti === "" || jti.length > JTI_LENGTH_MAX) return refuse("assertion-invalid");
  if (!isTime(iat) || !isTime(exp)) return refuse("assertion-invalid");
  const off = clockProblem(iat, nowS);
  if (off !== null) return off;
  if (exp <= nowS - CLOCK_SLACK_S) return refuse("assertion-invalid");
  return { jti, until: Math.floor(Math.min(iat + ASSERTION_LIFE_S, exp)) + CLOCK_SLACK_S + 1 };
}

/** Why a proof does not say what it has to, or null. It is for this origin, and made just now. */
export function proofProblem(claims: Claims, expected: { origin: string } & Claims, nowS: number): Refusal | null {
  return saysAll(claims, expected) && isTime(claims.iat) ? clockProblem(claims.iat, nowS) : refuse("proof-invalid");
}

/** Whether a proof is for this origin and says what is expected, whenever it was made. */
export function saysAll(claims: Claims, { origin, ...expected }: { origin: string } & Claims): boolean {
  return isFor(claims, origin) && Object.entries(expected).every(([name, value]) => claims[name as keyof Claims] === value);
}

/** Says by how much the host's clock is off, when it is off by more than is tolerated. */
function clockProblem(iat: number, nowS: number): Refusal | null {
  if (iat > nowS + CLOCK_SLACK_S) return refuse("clock-skew", clockWords(iat - nowS));
  return nowS - iat > ASSERTION_LIFE_S + CLOCK_SLACK_S ? refuse("clock-skew", clockWords(iat - nowS)) : null;
}

/** Words for a clock that is `seconds` ahead of ours, or behind when that is negative. */
function clockWords(seconds: number): { by: string; way: string } {
  return { by: `${Math.round(Math.abs(seconds)).toLocaleString("en-US")} s`, way: seconds > 0 ? "ahead" : "behind" };
}

function isFor({ aud }: Claims, audience: string): boolean {
  return aud === audience || (Array.isArray(aud) && aud.includes(audience));
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
