import { isIP } from "node:net";
import type { ServerStatus } from "../../schemas/status.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { bounded, TooSlowError } from "./bounded.ts";
import { cleanText } from "./text.ts";

export type QueryStatus = NonNullable<ServerStatus["query"]>;

/** For one packet; a query is two or three of them. */
const QUERY_SOCKET_TIMEOUT_MS = 2000;
/** For the whole query, name resolution too. */
export const QUERY_TIMEOUT_MS = 4000;
/** So many players are named. */
const NAMES_MAX = 10;
const NAME_CHARS_MAX = 64;
const TITLE_CHARS_MAX = 100;

/** Asks the server itself, by gamedig, once. Undefined when the game cannot be asked. Never throws for a server that is silent. */
export async function observeQuery(
  server: Pick<ServerConfig, "address" | "ports" | "query">,
): Promise<{ query?: QueryStatus; problems: string[] }> {
  const port = server.ports.query ?? server.ports.game;
  if (!server.query || port === undefined) return { problems: [] };
  const { type, password } = server.query;
  const { GameDig } = await import("gamedig");
  try {
    const answer = await bounded(
      // One instance for all: each has a UDP socket of its own, which it never closes.
      GameDig.query({
        type,
        host: server.address,
        ...(isIP(server.address) && { address: server.address }),
        port,
        givenPortOnly: true,
        portCache: false,
        maxRetries: 1,
        socketTimeout: QUERY_SOCKET_TIMEOUT_MS,
        attemptTimeout: QUERY_TIMEOUT_MS,
        ...(password && { password: password.reveal() }),
      }),
      QUERY_TIMEOUT_MS,
      "The query",
    );
    const name = cleanText(answer.name, TITLE_CHARS_MAX);
    const map = cleanText(answer.map, TITLE_CHARS_MAX);
    const players = playersOf(answer);
    return {
      query: {
        state: "answered",
        ...(Number.isFinite(answer.ping) && { pingMs: answer.ping }),
        ...(name && { name }),
        ...(map && { map }),
        ...(players && { players }),
      },
      problems: [],
    };
  } catch (error) {
    // gamedig tells no more than that all attempts failed; what each met stands in its stack, for developers.
    const late = error instanceof TooSlowError ? " in time" : "";
    return { query: { state: "silent" }, problems: [`No answer${late} to a query of type ${type} on ${server.address}:${port}.`] };
  }
}

/** Undefined when the game does not tell: gamedig answers 0 of 0 then. */
export function playersOf(answer: { numplayers: number; maxplayers: number; players: { name: string }[] }): QueryStatus["players"] {
  const count = (value: unknown) => (Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : 0);
  const names = answer.players.map((it) => cleanText(it.name, NAME_CHARS_MAX)).filter((it) => it !== "");
  const online = Math.max(count(answer.numplayers), names.length);
  const max = count(answer.maxplayers);
  if (online === 0 && max === 0) return undefined;
  return { online, ...(max > 0 && { max }), names: names.slice(0, NAMES_MAX) };
}
