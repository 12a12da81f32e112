import {
  IncomingWebhookRequestPartialSchema,
  IncomingWebhookUpdateRequestPartialSchema,
  MessageCreateRequestSchema,
  MessageEditRequestPartialSchema,
  type SpecSchema,
} from "discord-api-spec/zod";
import { MessageFlags } from "discord-api-types/v10";
import { checkAttachments, type MessageContext, nextAttachments, withTextIds } from "./attachments.ts";
import { checkComponents } from "./components.ts";
import { Form, isRecord, type Path, records, text } from "./form.ts";
import { checkSpec } from "./spec.ts";

// Source of the limits: Discord's reference, "Message" and "Embed Limits".
export const CONTENT_MAX = 2000;
/** Characters of all embeds of a message together. */
export const EMBEDS_CHARACTERS_MAX = 6000;

const CREATE_FLAGS = MessageFlags.SuppressEmbeds | MessageFlags.SuppressNotifications | MessageFlags.IsComponentsV2;
const EDIT_FLAGS = MessageFlags.SuppressEmbeds | MessageFlags.IsComponentsV2;

export type MessageBodyKind = "channel-create" | "channel-edit" | "webhook-create" | "webhook-edit";

const SCHEMAS: Record<MessageBodyKind, SpecSchema> = {
  "channel-create": MessageCreateRequestSchema,
  "channel-edit": MessageEditRequestPartialSchema,
  "webhook-create": IncomingWebhookRequestPartialSchema,
  "webhook-edit": IncomingWebhookUpdateRequestPartialSchema,
};

const FLAGS: Record<MessageBodyKind, number> = {
  "channel-create": CREATE_FLAGS,
  "channel-edit": EDIT_FLAGS,
  "webhook-create": CREATE_FLAGS | MessageFlags.Ephemeral,
  "webhook-edit": EDIT_FLAGS,
};

/** Checks the body of a REST call that creates or edits a message. An edit keeps to the flags and files that the message has. */
export function checkMessageBody(kind: MessageBodyKind, body: unknown, context: MessageContext = {}): Form {
  const form = new Form();
  checkSpec(form, SCHEMAS[kind], withTextIds(body));
  checkMessageData(form, body, [], FLAGS[kind], context);
  return form;
}

/** The documented limits that the specification's schemas do not know. */
export function checkMessageData(form: Form, data: unknown, at: Path, allowedFlags: number, context: MessageContext = {}): void {
  if (!isRecord(data)) {
    form.add(at, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
    return;
  }
  const { content, flags } = data;
  if (typeof content === "string") {
    const fits = content.length <= CONTENT_MAX;
    form.expect(fits, [...at, "content"], "BASE_TYPE_MAX_LENGTH", `Must be ${CONTENT_MAX} or fewer in length.`);
  }
  if (typeof flags === "number") {
    form.expect((flags & ~allowedFlags) === 0, [...at, "flags"], "BASE_TYPE_INVALID", `Only the flags ${allowedFlags} may be set here.`);
  }
  const v2 = (((context.flags ?? 0) | (typeof flags === "number" ? flags : 0)) & MessageFlags.IsComponentsV2) !== 0;
  if (v2) {
    for (const field of ["content", "embeds", "poll"]) {
      const value = data[field] ?? "";
      const empty = value === "" || (Array.isArray(value) && value.length === 0);
      const message = `The '${field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2`;
      form.expect(empty, [...at, field], "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message);
    }
  }
  checkEmbeds(form, records(data.embeds), [...at, "embeds"]);
  checkComponents(form, data.components, [...at, "components"], v2);
  checkAllowedMentions(form, data.allowed_mentions, [...at, "allowed_mentions"]);
  checkAttachments(form, data, at, context);
}

function checkEmbeds(form: Form, embeds: Record<string, unknown>[], at: Path): void {
  let total = 0;
  for (const [index, embed] of embeds.entries()) {
    const fields = records(embed.fields);
    for (const [place, field] of fields.entries()) {
      for (const key of ["name", "value"]) {
        const filled = text(field[key]).trim() !== "";
        form.expect(filled, [...at, index, "fields", place, key], "BASE_TYPE_REQUIRED", "This field is required");
      }
    }
    const parts = [embed.title, embed.description, nested(embed.footer, "text"), nested(embed.author, "name")];
    const words = [...parts, ...fields.flatMap((field) => [field.name, field.value])];
    const size = words.reduce<number>((sum, word) => sum + text(word).length, 0);
    const shown = size > 0 || embed.image !== undefined || embed.thumbnail !== undefined || embed.video !== undefined;
    form.expect(shown, [...at, index, "description"], "BASE_TYPE_REQUIRED", "This field is required");
    total += size;
  }
  const message = `Embed size exceeds maximum size of ${EMBEDS_CHARACTERS_MAX}`;
  form.expect(total <= EMBEDS_CHARACTERS_MAX, at, "MAX_EMBED_SIZE_EXCEEDED", message);
}

function nested(value: unknown, key: string): unknown {
  return isRecord(value) ? value[key] : undefined;
}

function checkAllowedMentions(form: Form, value: unknown, at: Path): void {
  if (!isRecord(value) || !Array.isArray(value.parse)) return;
  for (const kind of ["users", "roles"]) {
    const list = value[kind];
    const both = value.parse.includes(kind) && Array.isArray(list) && list.length > 0;
    const message = `parse:["${kind}"] and ${kind}: [ids...] are mutually exclusive.`;
    form.expect(!both, at, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message);
  }
}

/** Whether a message would show nothing: Discord answers 50006. */
export function isEmptyMessage(data: unknown, context: MessageContext = {}): boolean {
  if (nextAttachments(data, context).length > 0) return false;
  if (!isRecord(data)) return true;
  const listed = ["embeds", "components", "sticker_ids"].some((key) => Array.isArray(data[key]) && data[key].length > 0);
  return !listed && text(data.content).trim() === "" && !isRecord(data.poll);
}
