import { verifyKey } from "discord-interactions";
import { readLimited } from "../body.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";

/** Larger than any interaction: the largest carries a whole message (6,000 characters of embeds) and five text inputs of 4,000. */
export const INTERACTION_BYTES_MAX = 256 * 1024;
/** How far the signed timestamp may be from our clock, in milliseconds. Verifiers do not check it, so an old request could be replayed. */
export const TIMESTAMP_SLACK_MS = 5 * 60_000;

/** What is wrong with a request that claims to come from Discord. Each has its HTTP status; Discord sends bad ones on purpose. */
export type Doubt =
  /** `body`: what was signed wrongly, when it came that far. */
  { status: 401; reason: string; body?: Uint8Array } | { status: 413; refusal: Refusal };

/** The body, once it is certain that Discord signed it just now. */
export async function authenticBody(request: Request, publicKey: string, now: number): Promise<{ body: Uint8Array } | Doubt> {
  const signature = request.headers.get("x-signature-ed25519");
  const timestamp = request.headers.get("x-signature-timestamp");
  if (signature === null || timestamp === null) return { status: 401, reason: "signature headers are missing" };
  if (!/^[0-9a-f]{128}$/i.test(signature) || !/^[0-9]{1,12}$/.test(timestamp))
    return { status: 401, reason: "signature headers are malformed" };
  if (Math.abs(now - Number(timestamp) * 1000) > TIMESTAMP_SLACK_MS) return { status: 401, reason: "the timestamp is too old or too new" };
  const body = await readLimited(request, INTERACTION_BYTES_MAX);
  if (body === null) return { status: 413, refusal: refuse("body-too-large", { limit: String(INTERACTION_BYTES_MAX) }) };
  const genuine = await verifyKey(body, signature, timestamp, publicKey);
  return genuine ? { body } : { status: 401, reason: "the signature is wrong", body };
}
