import type { Context } from "hono";
import { rotateRequest } from "../../schemas/index.ts";
import { isRefusal } from "../refusals.ts";
import type { AgentEnv } from "./access.ts";
import { originOf, readBody, refused } from "./access.ts";

/** `POST /v1/rotate`: the key in use signs the new one, and the new one shows that it is held. */
export async function rotate(c: Context<AgentEnv>): Promise<Response> {
  const body = await readBody(c, rotateRequest);
  if (isRefusal(body)) return refused(c, body);
  const rotated = await c.get("guild").rotateKey(c.get("caller"), body.data, originOf(c));
  return isRefusal(rotated) ? refused(c, rotated) : c.json(rotated);
}
