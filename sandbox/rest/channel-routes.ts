import type { MessageContext } from "../check/attachments.ts";
import { Form } from "../check/form.ts";
import { checkMessageBody, isEmptyMessage } from "../check/messages.ts";
import { toDiscordMessage } from "../state/messages.ts";
import { findChannel, membersOf } from "../state/world.ts";
import type { Channel, DirectChannel, SandboxMessage } from "../types.ts";
import { refusals, requireForm } from "./rest-error.ts";
import { noContent, ok, type RestRequest, type Route } from "./route.ts";
import { directChannel } from "./user-routes.ts";

// Source: Discord's reference, "Get Channel Messages".
const LIST_MAX = 100;
const LIST_DEFAULT = 50;

function channelOf({ world, params }: RestRequest): Channel | DirectChannel {
  const id = params.channel ?? "";
  const channel = findChannel(world, id) ?? world.directs.get(id);
  if (channel === undefined) throw refusals.unknownChannel();
  if ("botAccess" in channel && !channel.botAccess) throw refusals.missingAccess();
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
  const channel = channelOf(request);
  const last = request.world.messages.list(channel.id).findLast((message) => !message.ephemeral);
  if (!("guildId" in channel)) return ok({ ...directChannel(request.world, channel), last_message_id: last?.id ?? null });
  return ok({
    id: channel.id,
    type: channel.type,
    guild_id: channel.guildId,
    name: channel.name,
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
  const channel = channelOf(request);
  const { world, body, uploads } = request;
  requireForm(checkMessageBody("channel-create", body, { uploads }));
  if (isEmptyMessage(body, { uploads })) throw refusals.emptyMessage();
  if ("userId" in channel && !takesDirectMessages(request, channel)) throw refusals.cannotMessageUser();
  return ok(toDiscordMessage(world.messages.create({ channelId: channel.id, author: world.bot, body, uploads })));
}

/** A person's setting holds for each guild that they share with the bot; one that allows it is enough. */
function takesDirectMessages({ world }: RestRequest, { userId }: DirectChannel): boolean {
  return membersOf(world, userId).some((member) => member.directMessages);
}

function editMessage(request: RestRequest) {
  const message = messageOf(request);
  const { body, uploads } = request;
  if (message.author.id !== request.world.bot.id) throw refusals.notTheAuthor();
  const context = contextOf(message, request);
  requireForm(checkMessageBody("channel-edit", body, context));
  requireContentAfter(message, body, context);
  return ok(toDiscordMessage(request.world.messages.edit(message.id, body, uploads)));
}

/** What the check of an edit must know of the message and of the files that came along. */
export function contextOf(message: SandboxMessage, { uploads }: RestRequest): MessageContext {
  return { uploads, flags: Number(message.flags), attachments: message.attachments };
}

/** An edit must leave something to show. */
export function requireContentAfter(message: SandboxMessage, change: unknown, context: MessageContext): void {
  const { content, embeds, components } = message;
  const given = Object.entries(change ?? {}).filter(([, value]) => value !== undefined);
  if (isEmptyMessage({ content, embeds, components, ...Object.fromEntries(given) }, context)) throw refusals.emptyMessage();
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
  { ...common, method: "GET", pattern: "/channels/:channel", limit: "other", handle: getChannel },
  { ...common, method: "GET", pattern: MESSAGES, limit: "message-read", handle: listMessages },
  { ...common, method: "POST", pattern: MESSAGES, limit: "message-create", files: true, handle: createMessage },
  { ...common, method: "GET", pattern: MESSAGE, limit: "message-read", handle: (request) => ok(toDiscordMessage(messageOf(request))) },
  { ...common, method: "PATCH", pattern: MESSAGE, limit: "message-edit", files: true, handle: editMessage },
  { ...common, method: "DELETE", pattern: MESSAGE, limit: "message-delete", handle: deleteMessage },
];
