import { type RotateRequest, rotateResponse } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { AgentError } from "../errors.ts";
import type { Identity, IdentityTable } from "../state/identity-table.ts";
import { readAnswer } from "./answers.ts";
import { newPrivateKey, rotationProof } from "./assertion.ts";
import type { ControlPlane } from "./control-plane.ts";
import { notEnrolled } from "./worker-client.ts";

const ROTATE_TIMEOUT_MS = 30_000;

export interface Rotation {
  table: Pick<IdentityTable, "get" | "keepNext" | "promoteNext">;
  plane: ControlPlane;
  clock: Clock;
}

/**
 * Puts a new key in the place of the host's key. It is written down before anything is sent, so that whatever is lost on the way, one of
 * the two keys opens the door: a refused token request tries the other. Run again, it goes on with the same new key.
 * @throws AgentError `not-enrolled`, as `ControlPlane.send`, or the Worker's refusal; the old key is in use then, or found to be replaced later
 */
export async function rotate({ table, plane, clock }: Rotation): Promise<Identity> {
  const enrolled = table.get();
  if (enrolled === undefined) throw notEnrolled();
  table.keepNext(enrolled.host, newPrivateKey());
  const { origin, host, privateKey, nextKey } = table.get() ?? enrolled;
  // Another process has just finished a rotation: a new key is what was asked for.
  if (nextKey === undefined) return current(table);
  const claims = { origin, host, next: nextKey, now: clock.now() };
  const [proof, ownProof] = await Promise.all([rotationProof(privateKey, claims), rotationProof(nextKey, claims)]);
  const json: RotateRequest = { publicKey: nextKey.x, proof, ownProof };
  try {
    await readAnswer(await plane.send({ method: "POST", path: "/v1/rotate", json, timeoutMs: ROTATE_TIMEOUT_MS }), rotateResponse);
  } catch (error) {
    // On the way to its token, `send` found that the new key is in use already: an earlier answer was lost.
    if (error instanceof AgentError && table.get()?.privateKey.x === nextKey.x) return current(table);
    throw error;
  }
  table.promoteNext(host, nextKey);
  return current(table);
}

function current(table: Rotation["table"]): Identity {
  const identity = table.get();
  if (identity === undefined) throw notEnrolled();
  return identity;
}
