import { isIP } from "node:net";
import type { RESTGetAPIApplicationCommandsResult, RESTPutAPIApplicationCommandsJSONBody } from "discord-api-types/v10";
import * as z from "zod";
import { AgentError, EXIT } from "../agent/errors.ts";

/** Longest wait for one answer of Discord, in milliseconds. */
const TIMEOUT_MS = 30_000;
/** How often one call is made again after 429; Discord's `retry_after` says when. */
const RATE_LIMIT_RETRIES = 3;
/** Longest `retry_after` that is waited for, in milliseconds. */
const RETRY_AFTER_MAX_MS = 60_000;
/** How much of a refusal's text is shown, in characters. */
const REFUSAL_SHOWN = 1000;

/** What the developer portal shows on the page General Information. */
const application = z.object({
  id: z.string(),
  name: z.string(),
  verify_key: z.string(),
  interactions_endpoint_url: z.string().nullish(),
});

export interface Application {
  id: string;
  name: string;
  /** Ed25519, in hex. */
  publicKey: string;
  interactionsUrl: string | undefined;
}

export interface Changes {
  added: string[];
  changed: string[];
  removed: string[];
  same: string[];
}

export interface DiscordSettings {
  /** Such as `https://discord.com/api/v10`. */
  apiUrl: string;
  botToken: string;
  sleep: (ms: number) => Promise<void>;
}

/** The few calls of Discord's REST API that a deployment needs. */
export class Discord {
  readonly #settings: DiscordSettings;

  constructor(settings: DiscordSettings) {
    this.#settings = settings;
  }

  /** @throws AgentError `bot-token-refused`, `discord-refused`, `discord-unreachable` */
  async application(): Promise<Application> {
    return applicationOf(await this.#call("GET", "/applications/@me"));
  }

  /** Discord calls the address at once, with a right and a wrong signature, before it answers. */
  async setInteractionsUrl(url: string): Promise<Application> {
    return applicationOf(await this.#call("PATCH", "/applications/@me", { interactions_endpoint_url: url }));
  }

  /** Makes the commands of a scope those that are wanted, and says what changed. Running it again changes nothing. */
  async replaceCommands(applicationId: string, wanted: RESTPutAPIApplicationCommandsJSONBody, guild?: string): Promise<Changes> {
    const path = `/applications/${applicationId}${guild === undefined ? "" : `/guilds/${guild}`}/commands`;
    const before = (await this.#call("GET", path)) as RESTGetAPIApplicationCommandsResult;
    const after = (await this.#call("PUT", path, wanted)) as RESTGetAPIApplicationCommandsResult;
    const version = new Map(before.map((one) => [one.name, one.version]));
    const names = after.map((one) => one.name);
    return {
      added: names.filter((name) => !version.has(name)),
      changed: after.filter((one) => version.has(one.name) && version.get(one.name) !== one.version).map((one) => one.name),
      same: after.filter((one) => version.get(one.name) === one.version).map((one) => one.name),
      removed: [...version.keys()].filter((name) => !names.includes(name)),
    };
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    for (let retries = 0; ; retries++) {
      const response = await this.#send(method, path, body);
      const text = await response.text();
      if (response.ok) return parsed(text);
      const afterMs = response.status === 429 ? retryAfterMs(text) : undefined;
      if (afterMs === undefined || afterMs > RETRY_AFTER_MAX_MS || retries >= RATE_LIMIT_RETRIES) throw refusal(response.status, text);
      await this.#settings.sleep(afterMs);
    }
  }

  async #send(method: string, path: string, body: unknown): Promise<Response> {
    const { apiUrl, botToken } = this.#settings;
    const headers = { authorization: `Bot ${botToken}`, "content-type": "application/json" };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    try {
      return await fetch(`${apiUrl}${path}`, { method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    } catch (cause) {
      const text = `Discord does not answer at ${apiUrl}: ${reasonOf(cause)}. Check the connection of this machine, then run it again.`;
      throw new AgentError("discord-unreachable", text, { cause, exitCode: EXIT.unavailable });
    }
  }
}

/** `added /backup, /agent; unchanged /help`. */
export function describeChanges({ added, changed, removed, same }: Changes): string {
  const list = (words: string, names: string[]) => (names.length === 0 ? [] : [`${words} ${names.map((name) => `/${name}`).join(", ")}`]);
  return [...list("added", added), ...list("changed", changed), ...list("removed", removed), ...list("unchanged", same)].join("; ");
}

/** Where Discord's API is, checked, so that a bot token is never sent over a line that is not encrypted. */
export function apiUrlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const loopback = url !== undefined && (url.hostname === "localhost" || (isIP(url.hostname) === 4 && url.hostname.startsWith("127.")));
  if (url !== undefined && (url.protocol === "https:" || (url.protocol === "http:" && loopback))) return text.replace(/\/$/, "");
  throw new AgentError("setup-input", `DISCORD_API_URL is "${text}"; it must begin with https://`, { exitCode: EXIT.usage });
}

function applicationOf(body: unknown): Application {
  const read = application.safeParse(body);
  if (!read.success) throw refusal(200, "it told of no application that this version can read");
  const { id, name, verify_key: publicKey, interactions_endpoint_url: url } = read.data;
  return { id, name, publicKey, interactionsUrl: url ?? undefined };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refusal(200, text);
  }
}

function refusal(status: number, text: string): AgentError {
  if (status === 401) {
    const words =
      "Discord answered 401: it does not take this bot token. Reset it on the page Bot of the developer portal, then use the new one.";
    return new AgentError("bot-token-refused", words, { exitCode: EXIT.refused });
  }
  return new AgentError("discord-refused", `Discord answered ${status}: ${text.slice(0, REFUSAL_SHOWN)}`, { exitCode: EXIT.unavailable });
}

function retryAfterMs(text: string): number | undefined {
  try {
    const { retry_after: seconds } = JSON.parse(text) as { retry_after?: unknown };
    return typeof seconds === "number" && seconds >= 0 ? Math.ceil(seconds * 1000) : undefined;
  } catch {
    // A proxy's own 429 has no JSON: it is a refusal like any other.
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
}
