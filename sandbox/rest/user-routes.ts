import { CreatePrivateChannelRequestSchema } from "discord-api-spec/zod";
import { ChannelType } from "discord-api-types/v10";
import { Form, isRecord } from "../check/form.ts";
import { checkSpec } from "../check/spec.ts";
import { membersOf, userOf, type World } from "../state/world.ts";
import type { DirectChannel } from "../types.ts";
import { refusals, requireForm } from "./rest-error.ts";
import { ok, type RestRequest, type Route } from "./route.ts";

/** Opens the channel of direct messages with somebody who shares a guild with the bot. */
function openDirectChannel({ world, body }: RestRequest) {
  const form = new Form();
  checkSpec(form, CreatePrivateChannelRequestSchema, body);
  const recipient = isRecord(body) ? body.recipient_id : undefined;
  form.expect(typeof recipient === "string", ["recipient_id"], "BASE_TYPE_REQUIRED", "This field is required");
  requireForm(form);
  const userId = String(recipient);
  if (userId === world.bot.id) throw refusals.cannotMessageYourself();
  if (membersOf(world, userId).length === 0) throw refusals.invalidRecipients();
  return ok(directChannel(world, world.directs.open(userId)));
}

/** The channel as Discord answers it. */
export function directChannel(world: World, { id, userId }: DirectChannel) {
  const recipients = membersOf(world, userId).slice(0, 1).map(userOf);
  const last = world.messages.list(id).at(-1);
  return { id, type: ChannelType.DM, flags: 0, last_message_id: last?.id ?? null, recipients };
}

export const userRoutes: Route[] = [
  { method: "GET", pattern: "/users/@me", limit: "other", resource: [], auth: true, handle: ({ world }) => ok(world.bot) },
  { method: "POST", pattern: "/users/@me/channels", limit: "other", resource: [], auth: true, handle: openDirectChannel },
];
