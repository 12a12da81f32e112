import { isRecord } from "../check/form.ts";
import { checkMessageBody, isEmptyMessage } from "../check/messages.ts";
import { checkResponse } from "../check/responses.ts";
import { answeredInteraction, createForInteraction } from "../interactions/apply.ts";
import type { InteractionRecord } from "../state/interactions.ts";
import { toDiscordMessage } from "../state/messages.ts";
import type { SandboxMessage } from "../types.ts";
import { contextOf, requireContentAfter } from "./channel-routes.ts";
import { refusals, requireForm } from "./rest-error.ts";
import { noContent, ok, type RestRequest, type Route } from "./route.ts";

function answerInteraction({ world, delivery, params, query, body, uploads }: RestRequest) {
  const record = world.interactions.get(params.interaction ?? "");
  if (record === undefined || record.token !== params.token || record.state === "failed") throw refusals.unknownInteraction();
  if (record.state === "acknowledged") throw refusals.alreadyAcknowledged();
  requireForm(checkResponse(body, answeredInteraction(world, record), uploads));
  const response = isRecord(body) ? body : {};
  const { message } = delivery.takeCallback(record, response, uploads);
  if (query.get("with_response") !== "true") return noContent;
  return ok({
    interaction: {
      id: record.id,
      type: record.type,
      channel_id: record.channelId,
      guild_id: record.guildId,
      ...(message === undefined ? {} : { response_message_id: message.id, response_message_loading: message.thinking === true }),
    },
    ...(message === undefined ? {} : { resource: { type: response.type === 5 ? 4 : response.type, message: toDiscordMessage(message) } }),
  });
}

/**
 * The interaction behind a webhook's token. As in Discord, the webhook is unknown until the interaction has been answered, and its
 * token is refused once it is too old.
 */
function recordOf({ world, params }: RestRequest): InteractionRecord {
  const record = world.interactions.byToken(params.token ?? "");
  if (params.application !== world.applicationId) throw refusals.unknownWebhook();
  if (record === undefined || world.now() - record.at >= world.tokenLifeMs) throw refusals.invalidWebhookToken();
  if (record.state !== "acknowledged") throw refusals.unknownWebhook();
  return record;
}

function messageOf(request: RestRequest): { record: InteractionRecord; message: SandboxMessage } {
  const record = recordOf(request);
  const wanted = request.params.message;
  const id = wanted === "@original" ? record.originalMessage : [record.originalMessage, ...record.followUps].find((one) => one === wanted);
  const message = id === undefined ? undefined : request.world.messages.get(id);
  if (message === undefined) throw refusals.unknownMessage();
  return { record, message };
}

function getMessage(request: RestRequest) {
  return ok(toDiscordMessage(messageOf(request).message));
}

function editMessage(request: RestRequest) {
  const { message } = messageOf(request);
  const { world, body, uploads } = request;
  const context = contextOf(message, request);
  requireForm(checkMessageBody("webhook-edit", body, context));
  requireContentAfter(message, body, context);
  return ok(toDiscordMessage(world.messages.edit(message.id, body, uploads)));
}

function deleteMessage(request: RestRequest) {
  const { message } = messageOf(request);
  request.world.messages.delete(message.id);
  return noContent;
}

function followUp(request: RestRequest) {
  const { world, body, uploads } = request;
  const record = recordOf(request);
  requireForm(checkMessageBody("webhook-create", body, { uploads }));
  if (isEmptyMessage(body, { uploads })) throw refusals.emptyMessage();
  const original = record.originalMessage === undefined ? undefined : world.messages.get(record.originalMessage);
  // Discord's reference, "Create Followup Message": after a deferral the first one fills the loading message.
  if (original?.thinking === true) return ok(toDiscordMessage(world.messages.edit(original.id, body, uploads)));
  const message = createForInteraction(world, record, body, { uploads });
  record.followUps.push(message.id);
  return ok(toDiscordMessage(message));
}

const WEBHOOK = "/webhooks/:application/:token";
const MESSAGE = "/webhooks/:application/:token/messages/:message";
const common = { limit: "webhook" as const, resource: ["token"], auth: false };

export const interactionRoutes: Route[] = [
  {
    method: "POST",
    pattern: "/interactions/:interaction/:token/callback",
    limit: "interaction-callback",
    resource: [],
    auth: false,
    files: true,
    handle: answerInteraction,
  },
  { ...common, method: "POST", pattern: WEBHOOK, files: true, handle: followUp },
  { ...common, method: "GET", pattern: MESSAGE, handle: getMessage },
  { ...common, method: "PATCH", pattern: MESSAGE, files: true, handle: editMessage },
  { ...common, method: "DELETE", pattern: MESSAGE, handle: deleteMessage },
];
