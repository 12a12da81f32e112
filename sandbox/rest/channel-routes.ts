import { ChannelType } from "discord-api-types/v10";
import { Form } from "../check/form.ts";
import { checkMessageBody, isEmptyMessage } from "../check/messages.ts";
import { toDiscordMessage } from "../state/messages.ts";
import { findChannel } from "../state/world.ts";
import type { Channel, SandboxMessage } from "../types.ts";
import { refusals, requireForm } from "./rest-error.ts";
import { noContent, ok, type RestRequest, type Route } from "./route.ts";

// Source: Discord's reference, "Get Channel Messages".
const LIST_MAX = 100;
const LIST_DEFAULT = 50;

function channelOf({ world, params }: RestRequest): Channel {
  const channel = findChannel(world, params.channel ?? "");
  if (channel === undefined) throw refusals.unknownChannel();
  if (!channel.botAccess) throw refusals.missingAccess();
  return channel;
}

/** Ephemeral messages are not there for the bot. */
function messageOf(request: RestRequest): SandboxMessage {
  const channel = channelOf(request);
  const message = request.world.messages.get(request.params.message ?? "");
  if (message === undefined || message.channel_id !== channel.id || message.ephemeral) throw refusals.unknownMessage();
  return message;
}

function getChannel(request: RestRequest) {
  const { id, name, guildId } = channelOf(request);
  const last = request.world.messages.list(id).findLast((message) => !message.ephemeral);
  return ok({
    id,
    type: ChannelType.GuildText,
    guild_id: guildId,
    name,
    position: 0,
    flags: 0,
    parent_id: null,
    topic: null,
    nsfw: false,
    rate_limit_per_user: 0,
    permission_overwrites: [],
    last_message_id: last?.id ?? null,
  });
}

function getGuild({ world, params }: RestRequest) {
  const guild = world.guilds.find((one) => one.id === params.guild);
  if (guild === undefined) throw refusals.unknownGuild();
  const roles = guild.roles.map((role, position) => ({
    ...role,
    position,
    color: 0,
    hoist: false,
    managed: false,
    mentionable: false,
    flags: 0,
  }));
  return ok({
    id: guild.id,
    name: guild.name,
    icon: null,
    owner_id: guild.ownerId,
    roles,
    emojis: [],
    features: [],
    preferred_locale: "en-US",
  });
}

function listMessages(request: RestRequest) {
  const { id } = channelOf(request);
  const limit = request.query.get("limit") ?? String(LIST_DEFAULT);
  const form = new Form();
  const inRange = /^\d{1,3}$/.test(limit) && Number(limit) >= 1 && Number(limit) <= LIST_MAX;
  form.expect(inRange, ["limit"], "NUMBER_TYPE_MAX", `int value should be between 1 and ${LIST_MAX}.`);
  requireForm(form);
  const before = bound(request.query.get("before"));
  const after = bound(request.query.get("after"));
  const found = request.world.messages
    .list(id)
    .filter((message) => !message.ephemeral)
    .filter((message) => (before === null || BigInt(message.id) < before) && (after === null || BigInt(message.id) > after));
  const page = after === null ? found.slice(-Number(limit)) : found.slice(0, Number(limit));
  return ok(page.toReversed().map(toDiscordMessage));
}

function bound(id: string | null): bigint | null {
  return id !== null && /^\d{1,20}$/.test(id) ? BigInt(id) : null;
}

function createMessage(request: RestRequest) {
  const { id } = channelOf(request);
  requireForm(checkMessageBody("channel-create", request.body));
  if (isEmptyMessage(request.body)) throw refusals.emptyMessage();
  const { world, body } = request;
  return ok(toDiscordMessage(world.messages.create({ channelId: id, author: world.bot, body })));
}

function editMessage(request: RestRequest) {
  const message = messageOf(request);
  if (message.author.id !== request.world.bot.id) throw refusals.notTheAuthor();
  requireForm(checkMessageBody("channel-edit", request.body, Number(message.flags)));
  requireContentAfter(message, request.body);
  return ok(toDiscordMessage(request.world.messages.edit(message.id, request.body)));
}

/** An edit must leave something to show. */
export function requireContentAfter(message: SandboxMessage, change: unknown): void {
  const { content, embeds, components } = message;
  const given = Object.entries(change ?? {}).filter(([, value]) => value !== undefined);
  if (isEmptyMessage({ content, embeds, components, ...Object.fromEntries(given) })) throw refusals.emptyMessage();
}

function deleteMessage(request: RestRequest) {
  const message = messageOf(request);
  // The bot has no MANAGE_MESSAGES here.
  if (message.author.id !== request.world.bot.id) throw refusals.missingPermissions();
  request.world.messages.delete(message.id);
  return noContent;
}

const MESSAGES = "/channels/:channel/messages";
const MESSAGE = "/channels/:channel/messages/:message";
const common = { resource: ["channel"], auth: true };

export const channelRoutes: Route[] = [
  { method: "GET", pattern: "/guilds/:guild", limit: "other", resource: ["guild"], auth: true, handle: getGuild },
  { ...common, method: "GET", pattern: "/channels/:channel", limit: "other", handle: getChannel },
  { ...common, method: "GET", pattern: MESSAGES, limit: "message-read", handle: listMessages },
  { ...common, method: "POST", pattern: MESSAGES, limit: "message-create", handle: createMessage },
  { ...common, method: "GET", pattern: MESSAGE, limit: "message-read", handle: (request) => ok(toDiscordMessage(messageOf(request))) },
  { ...common, method: "PATCH", pattern: MESSAGE, limit: "message-edit", handle: editMessage },
  { ...common, method: "DELETE", pattern: MESSAGE, limit: "message-delete", handle: deleteMessage },
];
