import { CLIENT_ASSERTION_TYPE, randomText, tokenResponse } from "../../schemas/index.ts";
import type { Clock } from "../clock.ts";
import { AgentError } from "../errors.ts";
import type { Identity, IdentityTable, PrivateKeyJwk } from "../state/identity-table.ts";
import { readAnswer } from "./answers.ts";
import { clientAssertion, tokenEndpoint } from "./assertion.ts";
import { CLOCK_CODES, clockOffset, type SkewWatch, withOffset } from "./clock-skew.ts";
import { exchange, type Fetch } from "./exchange.ts";

/** A token request is answered from memory and one signature check: slower than this is not answered at all. In milliseconds. */
const TOKEN_TIMEOUT_MS = 15_000;
/** A token is not used in the last part of its life, so that it does not run out on the way. */
const USED_PART_OF_LIFE = 0.9;

export interface TokenDeps {
  /** Looked up anew for each token: another process may have rotated the key. */
  identity: () => Identity;
  table: Pick<IdentityTable, "promoteNext">;
  fetch: Fetch;
  clock: Clock;
  skew?: SkewWatch;
}

/** Access tokens of one host. Callers at the same time share one request. */
export class TokenClient {
  readonly #deps: TokenDeps;
  #held: { token: string; until: number } | undefined;
  #pending: Promise<string> | undefined;

  constructor(deps: TokenDeps) {
    this.#deps = deps;
  }

  /**
   * A token that is still good, as far as this host knows.
   * @throws AgentError the Worker's refusal, such as `host-revoked`; `control-plane-unreachable`, `control-plane-odd-answer`
   */
  get(): Promise<string> {
    if (this.#held !== undefined && this.#deps.clock.now() < this.#held.until) return Promise.resolve(this.#held.token);
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
    const { identity, table } = this.#deps;
    const before = identity();
    try {
      return await this.#ask(before, before.privateKey);
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== "assertion-invalid") throw error;
      // The key may have been rotated: by another process meanwhile, or by a request whose answer never came.
      const now = identity();
      if (now.privateKey.x !== before.privateKey.x) return this.#ask(now, now.privateKey);
      const { nextKey } = now;
      if (nextKey === undefined) throw error;
      const token = await this.#ask(now, nextKey).catch((refused: unknown) => {
        throw refused instanceof AgentError && refused.code === error.code ? error : refused;
      });
      table.promoteNext(now.host, nextKey);
      return token;
    }
  }

  async #ask({ origin, host, tenant }: Identity, key: PrivateKeyJwk): Promise<string> {
    const { clock, fetch, skew } = this.#deps;
    const askedAt = clock.now();
    const assertion = await clientAssertion(key, { origin, host, tenant, id: randomText(26), now: askedAt });
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_assertion_type: CLIENT_ASSERTION_TYPE,
      client_assertion: assertion,
    });
    const response = await exchange(fetch, tokenEndpoint(origin), { method: "POST", body: form }, { timeoutMs: TOKEN_TIMEOUT_MS });
    const date = response.headers.get("date");
    const receivedAt = clock.now();
    skew?.saw(date, askedAt, receivedAt);
    try {
      const answer = await readAnswer(response, tokenResponse);
      this.#held = { token: answer.access_token, until: askedAt + answer.expires_in * 1000 * USED_PART_OF_LIFE };
      return answer.access_token;
    } catch (error) {
      if (!(error instanceof AgentError) || !CLOCK_CODES.has(error.code)) throw error;
      throw withOffset(error, clockOffset(date, askedAt, receivedAt));
    }
  }
}
