import type { Context } from "hono";
import type { PollRequest, PollResponse } from "../../schemas/index.ts";
import { PROTOCOL_VERSION, pollRequest } from "../../schemas/index.ts";
import type { ToGuild } from "../guild/poll-messages.ts";
import { ADDRESS_HEADER, HOST_HEADER, isEmpty, toWorker } from "../guild/poll-messages.ts";
import type { Refusal } from "../refusals.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { AgentEnv } from "./access.ts";
import { readBody, refused } from "./access.ts";
import { versionProblem } from "./version-gate.ts";

/** Longest wait for the guild object's first word when the agent asked not to wait, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * `POST /v1/poll`: heartbeat and wait for work in one. The wait happens here, where only CPU time costs; the object behind the inner
 * WebSocket hibernates meanwhile.
 */
export async function poll(c: Context<AgentEnv>): Promise<Response> {
  const body = await readBody(c, pollRequest);
  if (isRefusal(body)) return refused(c, body);
  const { data: request } = body;
  if (request.protocol < PROTOCOL_VERSION) {
    return refused(c, refuse("agent-too-old", { theirs: `protocol ${request.protocol}`, ours: `protocol ${PROTOCOL_VERSION}` }));
  }
  const old = versionProblem(request.heartbeat, c.env);
  if (old !== null) return refused(c, old);
  const { host, address } = c.get("caller");
  const upgrade = { headers: { upgrade: "websocket", [HOST_HEADER]: host, [ADDRESS_HEADER]: address ?? "" } };
  const response = await c.get("guild").fetch("https://guild/poll", upgrade);
  const socket = response.webSocket;
  if (socket === null) throw new Error(`the guild object answered ${response.status} to a poll`);
  const answer = await held(socket, request, c.req.raw.signal);
  if (answer === null) return c.body(null, 204);
  return isRefusal(answer) ? refused(c, answer) : c.json(answer);
}

/** Waits for the object's answer. Null when there is nothing to do, the wait is over, or nobody waits any more. */
function held(socket: WebSocket, request: PollRequest, signal: AbortSignal): Promise<PollResponse | Refusal | null> {
  const say = (message: ToGuild) => socket.send(JSON.stringify(message));
  return new Promise((resolve) => {
    let over = false;
    const end = (answer: PollResponse | Refusal | null) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      socket.close(1000);
      resolve(answer);
    };
    const timer = setTimeout(() => end(null), request.wait > 0 ? request.wait * 1000 : ANSWER_TIMEOUT_MS);
    signal.addEventListener("abort", () => end(null));
    socket.addEventListener("message", (event) => {
      // Whatever comes after the end must not claim a job for nobody.
      if (over) return;
      const message = toWorker.parse(JSON.parse(String(event.data)));
      switch (message.type) {
        case "ready":
          return say({ type: "claim", running: request.running, room: request.room });
        case "answer":
          return end(isEmpty(message.response) ? null : message.response);
        case "superseded":
          return end(null);
        case "refused":
          return end(refuse(message.refused, message.params));
      }
    });
    // A deploy or an eviction that went wrong drops the inner socket: the agent polls again.
    socket.addEventListener("close", () => end(null));
    socket.addEventListener("error", () => end(null));
    socket.accept();
    say({ type: "poll", request });
  });
}
