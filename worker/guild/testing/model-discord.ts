import { TEST_BINDINGS } from "../../testing/settings.ts";

interface Body {
  embeds?: { title?: string; description?: string }[];
  nonce?: string;
}

/**
 * What Discord shows, message by message, fed by the object's own calls. It fails as often as it is told to: with 429, 5xx, no answer, or an
 * answer that is lost after it did as it was asked.
 */
export class ModelDiscord {
  /** What each interaction's answer, by its token, shows last. */
  readonly #byToken = new Map<string, string>();
  /** What each message of the bot's own, by the number of its row, shows last. */
  readonly #byNonce = new Map<string, string>();
  /** A number from 0 to 1 for the next call; failures are below `failing`. */
  random: () => number = () => 1;
  failing = 0.2;
  /** What goes on while Discord is asked: the object takes other calls meanwhile. */
  meanwhile: () => Promise<void> = async () => {};

  /**
   * Takes the place of the network until the function that it answers is called. Calls have no time limit meanwhile: each would leave a timer of
   * 10 s, and an object is not evicted while it has one. Warnings of the failures that are made here on purpose are not printed.
   */
  listen(): () => void {
    const before = globalThis.fetch;
    const { timeout } = AbortSignal;
    const { warn } = console;
    AbortSignal.timeout = () => new AbortController().signal;
    console.warn = () => {};
    globalThis.fetch = async (input: RequestInfo | URL, init?: RequestInit) => {
      const url = String(input);
      if (!url.startsWith(TEST_BINDINGS.DISCORD_API_URL)) return before(input, init);
      await this.meanwhile();
      return this.#answer(init?.method ?? "GET", url.slice(TEST_BINDINGS.DISCORD_API_URL.length), String(init?.body ?? "{}"));
    };
    return () => {
      globalThis.fetch = before;
      AbortSignal.timeout = timeout;
      console.warn = warn;
    };
  }

  /** The title that a message shows now: in the bot's own message if there is one, else in the interaction's answer. */
  titleOf(message: number, token: string): string | undefined {
    return this.#byNonce.get(String(message)) ?? this.#byToken.get(token);
  }

  #answer(method: string, path: string, text: string): Response {
    const drawn = this.failing === 0 ? 1 : this.random() / this.failing;
    if (drawn < 0.3) return answerOf(429, { retry_after: 1.5, global: drawn < 0.05 });
    if (drawn < 0.6) return answerOf(502, {});
    if (drawn < 0.8) throw new TypeError("the line is cut");
    const body = JSON.parse(text) as Body;
    const title = body.embeds?.[0]?.title ?? body.embeds?.[0]?.description ?? "";
    const token = /^\/webhooks\/[0-9]+\/([^/]+)\/messages\/@original$/.exec(path)?.[1];
    let id = "1";
    if (token !== undefined) this.#byToken.set(token, title);
    else if (method === "POST") {
      id = (body.nonce ?? "").replace("reconsync-", "");
      this.#byNonce.set(id, title);
    } else {
      id = path.split("/").at(-1) ?? "";
      this.#byNonce.set(id, title);
    }
    if (drawn < 1) throw new TypeError("the answer is lost");
    return answerOf(200, { id });
  }
}

const NO_HEADERS = new Headers();

/** The parts of a response that the object's client reads. A walk has thousands, and whole ones take a third of its time. */
function answerOf(status: number, body: object): Response {
  return { ok: status < 300, status, headers: NO_HEADERS, text: async () => JSON.stringify(body) } as Response;
}
