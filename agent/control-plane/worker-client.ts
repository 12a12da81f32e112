import type { Clock } from "../clock.ts";
import { AgentError, EXIT } from "../errors.ts";
import type { Identity, IdentityTable } from "../state/identity-table.ts";
import { currentTrace, inTrace } from "../tracing/context.ts";
import { VERSION } from "../version.ts";
import { REVOKED_CODES, readProblem } from "./answers.ts";
import type { SkewWatch } from "./clock-skew.ts";
import type { ControlPlane, ControlPlaneRequest, RepositoryAccess } from "./control-plane.ts";
import { exchange, type Fetch } from "./exchange.ts";
import { TokenClient } from "./token-client.ts";

/** Sent with every request. */
export const USER_AGENT = `reconsync/${VERSION}`;

export interface WorkerClientDeps {
  identity: Pick<IdentityTable, "get" | "revoke" | "promoteNext">;
  clock: Clock;
  fetch?: Fetch;
  /** Hears of the time that each answer brings. */
  skew?: SkewWatch;
}

/** The Worker over HTTPS, with this host's identity. Once the Worker has refused the host, every further request fails at once. */
export class WorkerClient implements ControlPlane, RepositoryAccess {
  readonly #table: WorkerClientDeps["identity"];
  readonly #clock: Clock;
  readonly #fetch: Fetch;
  readonly #skew: SkewWatch | undefined;
  #session: { identity: Identity; tokens: TokenClient } | undefined;
  #revoked: AgentError | undefined;
  /** The token that `authorization` answered last. */
  #given: string | undefined;

  constructor(deps: WorkerClientDeps) {
    this.#table = deps.identity;
    this.#clock = deps.clock;
    this.#fetch = deps.fetch ?? fetch;
    this.#skew = deps.skew;
  }

  async send(request: ControlPlaneRequest): Promise<Response> {
    const { traceparent } = request;
    return traceparent === undefined ? this.#send(request) : inTrace({ ...currentTrace(), traceparent }, () => this.#send(request));
  }

  get origin(): string {
    return this.#open().identity.origin;
  }

  async authorization(again: boolean): Promise<string> {
    const { identity, tokens } = this.#open();
    if (again && this.#given !== undefined) tokens.drop(this.#given);
    this.#given = await this.#token(tokens, identity, undefined);
    return `Bearer ${this.#given}`;
  }

  async #send(request: ControlPlaneRequest): Promise<Response> {
    const { identity, tokens } = this.#open();
    const first = await this.#attempt(request, identity, tokens);
    if (first.response.status !== 401) return first.response;
    const refused = await this.#refused(first.response, identity);
    tokens.drop(first.token);
    if (refused.code !== "token-expired" && refused.code !== "token-invalid") return refused.response;
    const second = await this.#attempt(request, identity, tokens);
    if (second.response.status !== 401) return second.response;
    return (await this.#refused(second.response, identity)).response;
  }

  #open(): { identity: Identity; tokens: TokenClient } {
    if (this.#revoked !== undefined) throw this.#revoked;
    if (this.#session !== undefined) return this.#session;
    const identity = this.#identity();
    const deps = { table: this.#table, fetch: this.#fetch, clock: this.#clock, skew: this.#skew };
    this.#session = { identity, tokens: new TokenClient({ ...deps, identity: () => this.#sameHost(identity) }) };
    return this.#session;
  }

  #identity(): Identity {
    const identity = this.#table.get();
    if (identity === undefined) throw notEnrolled();
    if (identity.revokedAt !== undefined) throw this.#revoke(identity);
    return identity;
  }

  /** The identity with the keys that it has now. Enrolled anew, this host is another one: this session is not its. */
  #sameHost(session: Identity): Identity {
    const now = this.#identity();
    return now.host === session.host ? now : session;
  }

  async #attempt(request: ControlPlaneRequest, identity: Identity, tokens: TokenClient): Promise<{ response: Response; token: string }> {
    const token = await this.#token(tokens, identity, request.signal);
    const { method, path, json, body, timeoutMs, signal } = request;
    const sentAt = this.#clock.now();
    const response = await exchange(
      this.#fetch,
      `${identity.origin}${path}`,
      {
        method,
        headers: {
          ...(json === undefined ? {} : { "content-type": "application/json" }),
          ...request.headers,
          authorization: `Bearer ${token}`,
          "user-agent": USER_AGENT,
        },
        body: json === undefined ? body : JSON.stringify(json),
      },
      { timeoutMs, signal },
    );
    this.#skew?.saw(response.headers.get("date"), sentAt, this.#clock.now());
    return { response, token };
  }

  async #token(tokens: TokenClient, identity: Identity, signal: AbortSignal | undefined): Promise<string> {
    try {
      signal?.throwIfAborted();
      return await unlessAborted(tokens.get(), signal);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (REVOKED_CODES.has(error.code)) throw this.#revoke(identity);
      // Whoever waits for an answer waits for a token just the same.
      if (error.exitCode === EXIT.unavailable)
        throw new AgentError("control-plane-unreachable", error.message, { cause: error, exitCode: error.exitCode });
      throw error;
    }
  }

  /** What a 401 says, and the same answer again for the caller to read. */
  async #refused(response: Response, identity: Identity): Promise<{ code: string | undefined; response: Response }> {
    const { status, headers } = response;
    const problem = await readProblem(response);
    if (problem !== undefined && REVOKED_CODES.has(problem.code)) throw this.#revoke(identity);
    const body = problem === undefined ? null : JSON.stringify(problem);
    return { code: problem?.code, response: new Response(body, { status, headers }) };
  }

  #revoke(identity: Identity): AgentError {
    this.#table.revoke(identity.host, this.#clock.now());
    this.#revoked = new AgentError(
      "host-revoked",
      `${identity.origin} does not know this host (${identity.host}) any more. To use it again run /agent register in Discord, then reconsync enroll here`,
      { exitCode: EXIT.refused },
    );
    return this.#revoked;
  }
}

export function notEnrolled(): AgentError {
  return new AgentError("not-enrolled", "this host is not enrolled; run /agent register in Discord, then reconsync enroll URL CODE here", {
    exitCode: EXIT.badConfig,
  });
}

/** A token that several callers wait for is not given up because one of them has lost interest. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
