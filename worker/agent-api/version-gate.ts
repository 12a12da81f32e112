import type { Heartbeat } from "../../schemas/index.ts";
import { isTooOld } from "../agent-version.ts";
import type { Env } from "../env.ts";
import type { Refusal } from "../refusals.ts";
import { refuse } from "../refusals.ts";

/** Why an agent of this version may not come in, or null. */
export function versionProblem({ agentVersion }: Heartbeat, { AGENT_VERSION_MIN }: Pick<Env, "AGENT_VERSION_MIN">): Refusal | null {
  if (AGENT_VERSION_MIN === "" || !isTooOld(agentVersion, AGENT_VERSION_MIN)) return null;
  return refuse("agent-too-old", { theirs: `version ${agentVersion || "unknown"}`, ours: AGENT_VERSION_MIN });
}
