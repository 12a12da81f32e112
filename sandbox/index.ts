import { randomBytes } from "node:crypto";
import { SandboxError } from "./errors.ts";
import { Faults } from "./faults.ts";
import { buildGuilds, DEFAULT_GUILDS, findPlace, steadyIds } from "./guilds.ts";
import { Client } from "./interactions/client.ts";
import { Delivery, RESPONSE_MS } from "./interactions/delivery.ts";
import { type Kept, keepWorld, readKeepFile, restore } from "./keep-file.ts";
import { PageApi } from "./page-api.ts";
import { pageFiles } from "./page-files.ts";
import { Api } from "./rest/api.ts";
import { RateLimiter, rateLimitsFrom } from "./rest/rate-limits.ts";
import { API_PREFIX, listen } from "./server.ts";
import { signingKey } from "./signing.ts";
import { Snowflakes } from "./snowflake.ts";
import { Commands } from "./state/commands.ts";
import { Directs } from "./state/directs.ts";
import { Events } from "./state/events.ts";
import { Files } from "./state/files.ts";
import { Interactions } from "./state/interactions.ts";
import { Messages } from "./state/messages.ts";
import { People } from "./state/people.ts";
import { discordUser, userOf, type World } from "./state/world.ts";
import type { Sandbox, SandboxOptions } from "./types.ts";
import { messageWaiter } from "./wait.ts";

export { SandboxError } from "./errors.ts";
export type { Fault, FaultEffect } from "./faults.ts";
export { DEFAULT_GUILDS } from "./guilds.ts";
export type { RateLimit, RateLimitName, RateLimits } from "./rest/rate-limits.ts";
export type * from "./types.ts";

/** Discord's reference, "Interaction Token": valid for 15 minutes. */
export const TOKEN_LIFE_MS = 15 * 60_000;

const APPLICATION_NAME = "ReconSync";
const DEFAULT_SEED = 1;
const BOT_TOKEN_BYTES = 24;

/**
 * Starts a local Discord on the loopback address: its REST API, signed interactions and a web page.
 *
 * @example
 * const discord = await startSandbox({ interactionsUrl: "http://127.0.0.1:8787/interactions" });
 * const { message } = await discord.command({ guild: "Reef Raiders", channel: "general", member: "owner", command: "help" });
 * await discord.close();
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const seed = options.seed ?? DEFAULT_SEED;
  const kept = options.keepFile === undefined ? null : readKeepFile(options.keepFile, seed);
  const world = buildWorld(options, seed, kept);
  const stopping = new AbortController();
  const delivery = new Delivery(world, { responseMs: options.responseMs ?? RESPONSE_MS, stopping: stopping.signal });
  const client = new Client(world, delivery);
  const people = new People(world);
  const faults = new Faults(seed);
  const limiter = new RateLimiter(rateLimitsFrom(options.rateLimits), world.now);
  const api = new Api({ world, delivery, limiter, faults, stopping: stopping.signal });
  const keepFile = options.keepFile === undefined ? null : keepWorld(options.keepFile, world, seed);
  const { waitForMessage, stopWaiting } = messageWaiter(world);

  const actions: Omit<Sandbox, "url" | "apiUrl" | "close"> = {
    applicationId: world.applicationId,
    publicKey: world.key.publicKey,
    botToken: world.botToken,
    guilds: world.guilds,
    setInteractionsUrl: (url) => {
      world.interactionsUrl = new URL(url).href;
    },
    command: (input) => client.command(input),
    autocomplete: (input) => client.autocomplete(input),
    component: (input) => client.component(input),
    modal: (input) => client.modal(input),
    raw: (body, overrides) => delivery.raw(body, overrides),
    redeliver: async (id) => {
      const record = world.interactions.get(id);
      if (record === undefined) throw new SandboxError("unknown_interaction", `The sandbox sent no interaction ${id}.`);
      return delivery.raw(record.body);
    },
    say: ({ content, ...place }) => {
      const { channel, member } = findPlace(world.guilds, place);
      return world.messages.create({ channelId: channel.id, author: userOf(member), body: { content } });
    },
    addRole: (guild, role) => people.addRole(guild, role),
    addMember: (guild, member) => people.addMember(guild, member),
    setRoles: (guild, member, roles) => people.setRoles(guild, member, roles),
    message: (id) => world.messages.get(id),
    file: (id) => world.files.get(id),
    directChannel: (userId) => world.directs.of(userId),
    messages: (channelId, view) => world.messages.list(channelId, view?.asMember),
    history: (id) => world.messages.history(id),
    waitForMessage,
    commands: (guildId) => world.commands.merged(guildId),
    on: (event, listener) => world.events.on(event, listener),
    calls: api.calls,
    interactions: () => world.interactions.all(),
    faults: { set: (rules) => faults.set(rules), clear: () => faults.clear() },
  };

  const page = new PageApi(world, actions);
  const parts = { api, page, files: world.files, pageFiles };
  const { server, port } = await listen(options.port ?? 0, options.host ?? "127.0.0.1", parts);
  const url = `http://127.0.0.1:${port}`;
  world.origin = url;
  return {
    ...actions,
    url,
    apiUrl: url + API_PREFIX,
    close: async () => {
      stopping.abort(new SandboxError("closed", "The sandbox was closed."));
      stopWaiting();
      page.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await keepFile?.close();
    },
  };
}

function buildWorld(options: SandboxOptions, seed: number, kept: Kept | null): World {
  const now = options.now ?? Date.now;
  const steady = steadyIds(seed);
  const applicationId = steady.next();
  const guilds = buildGuilds(options.guilds ?? DEFAULT_GUILDS, steady);
  const ids = new Snowflakes(now, kept?.lastId);
  const events = new Events();
  const files = new Files();
  const world: World = {
    applicationId,
    applicationName: APPLICATION_NAME,
    // A bot's user has the id of its application.
    bot: discordUser(applicationId, APPLICATION_NAME, true),
    botToken: kept?.botToken ?? newBotToken(applicationId),
    key: signingKey(kept?.privateKey),
    guilds,
    ids,
    now,
    tokenLifeMs: options.tokenLifeMs ?? TOKEN_LIFE_MS,
    events,
    messages: new Messages({ ids, now, events, files, origin: () => world.origin }),
    commands: new Commands({ applicationId, ids, events }),
    interactions: new Interactions(events),
    directs: new Directs({ ids, events }),
    files,
    origin: "",
    interactionsUrl: options.interactionsUrl ?? kept?.interactionsUrl ?? null,
  };
  if (kept !== null) restore(world, kept);
  return world;
}

/** Of the shape that Discord gives: the id in base64 first. */
function newBotToken(applicationId: string): string {
  const [first, second] = [randomBytes(4), randomBytes(BOT_TOKEN_BYTES)];
  return [Buffer.from(applicationId), first, second].map((part) => part.toString("base64url")).join(".");
}
