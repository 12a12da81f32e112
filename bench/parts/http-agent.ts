import { generateKeyPairSync, randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import type { Heartbeat, Job, Outcome, PollRequest, PollResponse } from "../../schemas/index.ts";
import { ACCESS_TOKEN_LIFE_S, ASSERTION_LIFE_S, CLIENT_ASSERTION_TYPE, POLL_WAIT_MAX_S, PROTOCOL_VERSION } from "../../schemas/index.ts";
import { enrolmentCodeIn } from "../../scripts/embedded/agent-process.ts";

/** In which Cloudflare's edge says who calls. Here is no edge, and workerd takes what the caller says. */
const ADDRESS_HEADER = "cf-connecting-ip";
/** Bound of a request that is not held, in milliseconds. */
const ANSWER_MS = 30_000;
/** A token is renewed before it runs out, in milliseconds. */
const TOKEN_USED_MS = ACCESS_TOKEN_LIFE_S * 1000 * 0.8;

/** Agents so far: as many behind one address would run into the limit for enrolments, so each has an address of its own. */
let agents = 0;

const HEARTBEAT: Heartbeat = { agentVersion: "99.0.0", platform: "linux", arch: "x64", startedAt: 0, configHash: "bench" };

/** An agent that is nothing but its protocol: key, assertion, token, poll, result. A thousand of them fit in one process. */
export class HttpAgent {
  readonly #keys = generateKeyPairSync("ed25519");
  readonly #origin: string;
  readonly server: string;
  readonly #address: string;
  #host = "";
  #tenant = "";
  #token = "";
  #tokenUntil = 0;

  private constructor(origin: string, server: string) {
    this.#origin = origin;
    this.server = server;
    agents += 1;
    this.#address = `2001:db8:${Math.floor(agents / 65_536).toString(16)}:${(agents % 65_536).toString(16)}::1`;
  }

  /** By the real routes. `shown` is what `/agent register` answered. */
  static async enrolled(origin: string, shown: string, server: string): Promise<HttpAgent> {
    const code = enrolmentCodeIn(shown);
    const agent = new HttpAgent(origin, server);
    const { x = "" } = agent.#keys.publicKey.export({ format: "jwk" });
    const proof = await new SignJWT({ code })
      .setProtectedHeader({ alg: "EdDSA" })
      .setAudience(origin)
      .setIssuedAt()
      .sign(agent.#keys.privateKey);
    const body = JSON.stringify({ code, publicKey: x, proof, heartbeat: HEARTBEAT });
    const headers = { [ADDRESS_HEADER]: agent.#address };
    const response = await fetch(`${origin}/v1/enroll`, { method: "POST", headers, body, signal: AbortSignal.timeout(ANSWER_MS) });
    const { host, tenant } = await read<{ host: string; tenant: string }>(response);
    agent.#host = host;
    agent.#tenant = tenant;
    await agent.refresh();
    return agent;
  }

  /** Gets a new access token. */
  async refresh(): Promise<void> {
    const now = Math.floor(Date.now() / 1000);
    const assertion = await new SignJWT({ tenant: this.#tenant })
      .setProtectedHeader({ alg: "EdDSA" })
      .setIssuer(this.#host)
      .setSubject(this.#host)
      .setAudience(`${this.#origin}/v1/token`)
      .setJti(randomUUID())
      .setIssuedAt(now)
      .setExpirationTime(now + ASSERTION_LIFE_S)
      .sign(this.#keys.privateKey);
    const form = { grant_type: "client_credentials", client_assertion_type: CLIENT_ASSERTION_TYPE, client_assertion: assertion };
    const headers = { [ADDRESS_HEADER]: this.#address };
    const init = { method: "POST", headers, body: new URLSearchParams(form), signal: AbortSignal.timeout(ANSWER_MS) };
    this.#token = (await read<{ access_token: string }>(await fetch(`${this.#origin}/v1/token`, init))).access_token;
    this.#tokenUntil = Date.now() + TOKEN_USED_MS;
  }

  /** One poll, held as long as the protocol allows. Answers its jobs, none when the wait was in vain. */
  async poll(signal: AbortSignal, wait: number = POLL_WAIT_MAX_S): Promise<Job[]> {
    if (Date.now() > this.#tokenUntil) await this.refresh();
    const servers = [
      { id: this.server, name: this.server, game: "valheim", gameName: "Valheim", store: "local" as const, retention: { keepLast: 5 } },
    ];
    const request: PollRequest = { protocol: PROTOCOL_VERSION, heartbeat: HEARTBEAT, servers, status: [], running: [], wait, room: 1 };
    const bound = AbortSignal.any([signal, AbortSignal.timeout(wait * 1000 + ANSWER_MS)]);
    const response = await this.#post("/v1/poll", request, bound);
    return response.status === 204 ? [] : (await read<PollResponse>(response)).jobs;
  }

  /** Ends a job, so that the next can be queued. */
  async end(job: Job): Promise<void> {
    const outcome: Outcome = { state: "failed", error: { code: "bench", message: "Only measured." } };
    await read(await this.#post(`/v1/jobs/${job.id}/result`, { lease: job.lease, outcome }, AbortSignal.timeout(ANSWER_MS)));
  }

  #post(path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#token}`, "content-type": "application/json", [ADDRESS_HEADER]: this.#address };
    return fetch(`${this.#origin}${path}`, { method: "POST", headers, body: JSON.stringify(body), signal });
  }
}

async function read<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${new URL(response.url).pathname} got ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
