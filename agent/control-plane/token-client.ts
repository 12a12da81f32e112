import { CLIENT_ASSERTION_TYPE, randomText, tokenResponse } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import type { Identity } from "../state/identity-table.ts";
import { readAnswer } from "./answers.ts";
import { clientAssertion, tokenEndpoint } from "./assertion.ts";
import { exchange, type Fetch } from "./exchange.ts";

/** A token request is answered from memory and one signature check: slower than this is not answered at all. In milliseconds. */
const TOKEN_TIMEOUT_MS = 15_000;
/** A token is not used in the last part of its life, so that it does not run out on the way. */
const USED_PART_OF_LIFE = 0.9;

/** Access tokens of one identity. Callers at the same time share one request. */
export class TokenClient {
  readonly #identity: Identity;
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  #held: { token: string; until: number } | undefined;
  #pending: Promise<string> | undefined;

  constructor(identity: Identity, deps: { fetch: Fetch; clock: Clock }) {
    this.#identity = identity;
    this.#fetch = deps.fetch;
    this.#clock = deps.clock;
  }

  /**
   * A token that is still good, as far as this host knows.
   * @throws AgentError the Worker's refusal, such as `host-revoked`; `control-plane-unreachable`, `control-plane-odd-answer`
   */
  get(): Promise<string> {
    if (this.#held !== undefined && this.#clock.now() < this.#held.until) return Promise.resolve(this.#held.token);
    this.#pending ??= this.#request().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** The Worker did not take this token. A newer one that came meanwhile stays. */
  drop(token: string): void {
    if (this.#held?.token === token) this.#held = undefined;
  }

  async #request(): Promise<string> {
    const { origin, host, tenant, privateKey } = this.#identity;
    const askedAt = this.#clock.now();
    const assertion = await clientAssertion(privateKey, { origin, host, tenant, id: randomText(26), now: askedAt });
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_assertion_type: CLIENT_ASSERTION_TYPE,
      client_assertion: assertion,
    });
    const response = await exchange(this.#fetch, tokenEndpoint(origin), { method: "POST", body: form }, { timeoutMs: TOKEN_TIMEOUT_MS });
    const answer = await readAnswer(response, tokenResponse);
    this.#held = { token: answer.access_token, until: askedAt + answer.expires_in * 1000 * USED_PART_OF_LIFE };
    return answer.access_token;
  }
}
