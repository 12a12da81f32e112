import type { Heartbeat } from "../../schemas/index.ts";
import { enrollResponse, enrolmentCode } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { Identity } from "../state/identity-table.ts";
import type { AgentState } from "../state/state.ts";
import { readAnswer } from "./answers.ts";
import { enrolmentProof, newPrivateKey } from "./assertion.ts";
import { CLOCK_CODES, clockOffset, withOffset } from "./clock-skew.ts";
import { exchange, type Fetch } from "./exchange.ts";
import { controlPlaneOrigin } from "./origin.ts";
import { USER_AGENT } from "./worker-client.ts";

const ENROLL_TIMEOUT_MS = 30_000;

export interface Enrolment {
  /** As a person typed them. */
  url: string;
  code: string;
  heartbeat: Heartbeat;
  state: AgentState;
  clock: Clock;
  fetch?: Fetch;
}

/**
 * Makes a key, has it enrolled by a one-time code, and keeps the identity. One that was there before is replaced, and with it goes
 * everything that only its guild could use.
 * @throws AgentError `bad-url`, `https-required`, `bad-code`, `control-plane-unreachable`, `control-plane-odd-answer`, or the Worker's refusal
 */
export async function enroll({ url, code, heartbeat, state, clock, fetch: fetched = fetch }: Enrolment): Promise<Identity> {
  const origin = controlPlaneOrigin(url);
  const typed = code.trim();
  if (!enrolmentCode.safeParse(typed).success) {
    throw new AgentError("bad-code", "this is not an enrolment code; copy it whole from the answer to /agent register", {
      exitCode: EXIT.usage,
    });
  }
  const privateKey = newPrivateKey();
  const now = clock.now();
  const proof = await enrolmentProof(privateKey, { origin, code: typed, now });
  const response = await exchange(
    fetched,
    `${origin}/v1/enroll`,
    {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": USER_AGENT },
      body: JSON.stringify({ code: typed, publicKey: privateKey.x, proof, heartbeat }),
    },
    { timeoutMs: ENROLL_TIMEOUT_MS },
  );
  const offset = clockOffset(response.headers.get("date"), now, clock.now());
  const answer = await readAnswer(response, enrollResponse).catch((error: unknown) => {
    throw error instanceof AgentError && CLOCK_CODES.has(error.code) ? withOffset(error, offset) : error;
  });
  const identity: Identity = { origin, ...answer, privateKey, enrolledAt: now };
  state.transaction(() => {
    state.identity.replace(identity);
    state.journal.clear();
    state.outbox.clear();
    state.uploads.clear();
  });
  return identity;
}
