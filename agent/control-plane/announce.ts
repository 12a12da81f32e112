import { type PollRequest, PROTOCOL_VERSION, type Problem, pollResponse } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { HostConfig } from "../config/host-config.ts";
import type { AgentState } from "../state/state.ts";
import { readAnswer } from "./answers.ts";
import type { ControlPlane } from "./control-plane.ts";
import { announced, heartbeatOf } from "./heartbeat.ts";

const ANNOUNCE_TIMEOUT_MS = 15_000;

/**
 * Tells the guild which servers this host has, by a poll that asks for nothing: a backup by hand may come before the agent ever ran.
 * Answers the guild's complaints.
 * @throws AgentError as `ControlPlane.send`, or the Worker's refusal
 */
export async function announce(
  plane: ControlPlane,
  config: HostConfig,
  state: Pick<AgentState, "schedules">,
  clock: Clock,
): Promise<Problem[]> {
  const json: PollRequest = {
    protocol: PROTOCOL_VERSION,
    heartbeat: heartbeatOf(clock.now(), config.hash),
    servers: announced(config, state.schedules),
    status: [],
    running: [],
    wait: 0,
    room: 0,
    clock: clock.now(),
  };
  const response = await plane.send({ method: "POST", path: "/v1/poll", json, timeoutMs: ANNOUNCE_TIMEOUT_MS });
  return response.status === 204 ? [] : (await readAnswer(response, pollResponse)).problems;
}
