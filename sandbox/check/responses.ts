import {
  ApplicationCommandAutocompleteCallbackRequestSchema,
  CreateMessageInteractionCallbackRequestSchema,
  ModalInteractionCallbackRequestSchema,
  PongInteractionCallbackRequestSchema,
  type SpecSchema,
  UpdateMessageInteractionCallbackRequestSchema,
} from "discord-api-spec/zod";
import { InteractionResponseType, InteractionType, MessageFlags } from "discord-api-types/v10";
import { type MessageContext, type Upload, withTextIds } from "./attachments.ts";
import { walk } from "./components.ts";
import { Form, isRecord, records, text } from "./form.ts";
import { checkMessageData, isEmptyMessage } from "./messages.ts";
import { checkSpec } from "./spec.ts";

/** Discord's reference, "Interaction Response Object". */
export const AUTOCOMPLETE_CHOICES_MAX = 25;

const { Ping, ApplicationCommand, MessageComponent, ApplicationCommandAutocomplete, ModalSubmit } = InteractionType;

const MESSAGE_FLAGS =
  MessageFlags.Ephemeral | MessageFlags.SuppressEmbeds | MessageFlags.SuppressNotifications | MessageFlags.IsComponentsV2;

const SCHEMAS = new Map<unknown, SpecSchema>([
  [InteractionResponseType.Pong, PongInteractionCallbackRequestSchema],
  [InteractionResponseType.ChannelMessageWithSource, CreateMessageInteractionCallbackRequestSchema],
  [InteractionResponseType.DeferredChannelMessageWithSource, CreateMessageInteractionCallbackRequestSchema],
  [InteractionResponseType.DeferredMessageUpdate, UpdateMessageInteractionCallbackRequestSchema],
  [InteractionResponseType.UpdateMessage, UpdateMessageInteractionCallbackRequestSchema],
  [InteractionResponseType.ApplicationCommandAutocompleteResult, ApplicationCommandAutocompleteCallbackRequestSchema],
  [InteractionResponseType.Modal, ModalInteractionCallbackRequestSchema],
]);

/** Which responses an interaction may get. Updates need a message that carries the component. */
function allowedTypes(type: number, hasMessage: boolean): readonly number[] {
  const updates = hasMessage ? [InteractionResponseType.DeferredMessageUpdate, InteractionResponseType.UpdateMessage] : [];
  const messages = [InteractionResponseType.ChannelMessageWithSource, InteractionResponseType.DeferredChannelMessageWithSource];
  if (type === Ping) return [InteractionResponseType.Pong];
  if (type === ApplicationCommand) return [...messages, InteractionResponseType.Modal];
  if (type === MessageComponent) return [...messages, ...updates, InteractionResponseType.Modal];
  if (type === ApplicationCommandAutocomplete) return [InteractionResponseType.ApplicationCommandAutocompleteResult];
  if (type === ModalSubmit) return [...messages, ...updates];
  return [];
}

/** What a response is checked against. */
export interface AnsweredInteraction {
  /** Discord's interaction type. */
  type: number;
  /** The message that carries the component, if there is one. */
  source: MessageContext | null;
}

/** Checks the response to an interaction, whether it came as the HTTP answer or through the callback route. */
export function checkResponse(response: unknown, interaction: AnsweredInteraction, uploads: readonly Upload[] = []): Form {
  const form = new Form();
  if (!isRecord(response)) {
    form.add([], "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
    return form;
  }
  const allowed = allowedTypes(interaction.type, interaction.source !== null);
  const schema = SCHEMAS.get(response.type);
  if (schema === undefined || typeof response.type !== "number" || !allowed.includes(response.type)) {
    const message = `An interaction of type ${interaction.type} takes the response types ${allowed.join(", ")}, not ${String(response.type)}.`;
    form.add(["type"], "BASE_TYPE_CHOICES", message);
    return form;
  }
  checkSpec(form, schema, { ...response, ...(response.data === undefined ? {} : { data: withTextIds(response.data) }) });
  checkData(form, response.type, response.data, { ...interaction.source, uploads });
  return form;
}

function checkData(form: Form, type: number, data: unknown, context: MessageContext): void {
  const { uploads = [] } = context;
  if (type === InteractionResponseType.ChannelMessageWithSource) {
    checkMessageData(form, data, ["data"], MESSAGE_FLAGS, { uploads });
    form.expect(!isEmptyMessage(data, { uploads }), ["data"], "MESSAGE_EMPTY", "Cannot send an empty message");
  } else if (type === InteractionResponseType.UpdateMessage) {
    checkMessageData(form, data, ["data"], MessageFlags.SuppressEmbeds | MessageFlags.IsComponentsV2, context);
  } else {
    form.expect(uploads.length === 0, ["files"], "BASE_TYPE_INVALID", "A response of this type takes no files.");
  }
  if (type === InteractionResponseType.DeferredChannelMessageWithSource) checkDeferral(form, data);
  if (type === InteractionResponseType.ApplicationCommandAutocompleteResult) checkChoices(form, data);
  if (type === InteractionResponseType.Modal) checkModal(form, data);
}

function checkDeferral(form: Form, data: unknown): void {
  if (!isRecord(data)) return;
  for (const key of Object.keys(data)) {
    form.expect(key === "flags", ["data", key], "BASE_TYPE_INVALID", "A deferred response takes nothing but flags.");
  }
  const flags = typeof data.flags === "number" ? data.flags : 0;
  const good = (flags & ~MessageFlags.Ephemeral) === 0;
  form.expect(good, ["data", "flags"], "BASE_TYPE_INVALID", "A deferred response takes the EPHEMERAL flag only.");
}

function checkChoices(form: Form, data: unknown): void {
  if (!isRecord(data) || !Array.isArray(data.choices)) {
    form.add(["data", "choices"], "BASE_TYPE_REQUIRED", "This field is required");
    return;
  }
  const most = `Must be ${AUTOCOMPLETE_CHOICES_MAX} or fewer in length.`;
  form.expect(data.choices.length <= AUTOCOMPLETE_CHOICES_MAX, ["data", "choices"], "BASE_TYPE_MAX_LENGTH", most);
  for (const [index, choice] of data.choices.entries()) {
    const filled = isRecord(choice) && text(choice.name).trim() !== "" && choice.value !== "";
    form.expect(filled, ["data", "choices", index], "BASE_TYPE_REQUIRED", "A choice has a name and a value.");
  }
}

function checkModal(form: Form, data: unknown): void {
  const inner = walk(records(isRecord(data) ? data.components : []));
  const ids = inner.flatMap((one) => (typeof one.custom_id === "string" ? [one.custom_id] : []));
  const message = "Component custom id cannot be duplicated";
  form.expect(new Set(ids).size === ids.length, ["data", "components"], "COMPONENT_CUSTOM_ID_DUPLICATED", message);
}
