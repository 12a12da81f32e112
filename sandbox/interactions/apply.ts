import type { APIMessage, APIModalInteractionResponseCallbackData } from "discord-api-types/v10";
import { InteractionResponseType, InteractionType, MessageFlags } from "discord-api-types/v10";
import type { Upload } from "../check/attachments.ts";
import { isRecord, records } from "../check/form.ts";
import type { AnsweredInteraction } from "../check/responses.ts";
import type { InteractionRecord } from "../state/interactions.ts";
import { discordUser, type World } from "../state/world.ts";
import type { Choice, SandboxMessage } from "../types.ts";

export interface Applied {
  message?: SandboxMessage;
  modal?: APIModalInteractionResponseCallbackData;
  choices?: Choice[];
}

/** A response, and the files that came with it. */
export interface Answered {
  response: Record<string, unknown>;
  uploads: readonly Upload[];
}

/** What the check of a response must know of the interaction. */
export function answeredInteraction(world: World, { type, sourceMessage }: InteractionRecord): AnsweredInteraction {
  if (sourceMessage === undefined) return { type, source: null };
  const { flags = 0, attachments = [] } = world.messages.get(sourceMessage) ?? {};
  return { type, source: { flags, attachments } };
}

/** Carries out a response that has passed the checks, and marks the interaction as acknowledged. */
export function applyResponse(world: World, record: InteractionRecord, answered: Answered): Applied {
  const applied = carryOut(world, record, answered);
  world.interactions.acknowledge(record);
  return applied;
}

function carryOut(world: World, record: InteractionRecord, { response: { type, data }, uploads }: Answered): Applied {
  switch (type) {
    case InteractionResponseType.ChannelMessageWithSource:
    case InteractionResponseType.DeferredChannelMessageWithSource: {
      const thinking = type === InteractionResponseType.DeferredChannelMessageWithSource;
      const message = createForInteraction(world, record, data, { thinking, uploads });
      record.originalMessage = message.id;
      return { message };
    }
    case InteractionResponseType.UpdateMessage:
    case InteractionResponseType.DeferredMessageUpdate: {
      record.originalMessage = record.sourceMessage;
      if (record.sourceMessage === undefined || world.messages.get(record.sourceMessage) === undefined) return {};
      const deferred = type === InteractionResponseType.DeferredMessageUpdate;
      const message = deferred ? world.messages.get(record.sourceMessage) : world.messages.edit(record.sourceMessage, data, uploads);
      return { message };
    }
    case InteractionResponseType.Modal: {
      const modal = data as unknown as APIModalInteractionResponseCallbackData;
      world.interactions.openModal(record.memberId, {
        channelId: record.channelId,
        data: modal,
        ...(record.sourceMessage === undefined ? {} : { sourceMessage: record.sourceMessage }),
      });
      return { modal };
    }
    case InteractionResponseType.ApplicationCommandAutocompleteResult: {
      const choices = records(isRecord(data) ? data.choices : []);
      return { choices: choices.map(({ name, value }) => ({ name, value }) as Choice) };
    }
    default:
      return {};
  }
}

/** Makes a message through an interaction's webhook: its response or a follow-up. */
export function createForInteraction(
  world: World,
  record: InteractionRecord,
  body: unknown,
  { thinking = false, uploads = [] }: { thinking?: boolean; uploads?: readonly Upload[] } = {},
): SandboxMessage {
  const flags = isRecord(body) && typeof body.flags === "number" ? body.flags : 0;
  return world.messages.create({
    channelId: record.channelId,
    author: world.bot,
    applicationId: world.applicationId,
    body,
    uploads,
    thinking,
    interaction: { id: record.id, name: record.name, member: record.memberName },
    metadata: metadataOf(record),
    ...((flags & MessageFlags.Ephemeral) === 0 ? {} : { ephemeralFor: record.memberId }),
  });
}

/** The notice that only the member sees when an application did not answer well. */
export function showFailure(world: World, record: InteractionRecord, reason: string): SandboxMessage {
  const content = record.type === InteractionType.ApplicationCommand ? "The application did not respond" : "This interaction failed";
  return world.messages.create({
    channelId: record.channelId,
    author: world.bot,
    body: { content, flags: MessageFlags.Ephemeral },
    ephemeralFor: record.memberId,
    failed: reason,
    interaction: { id: record.id, name: record.name, member: record.memberName },
  });
}

function metadataOf(record: InteractionRecord): APIMessage["interaction_metadata"] {
  const metadata = {
    id: record.id,
    type: record.type,
    user: discordUser(record.memberId, record.memberName, false),
    authorizing_integration_owners: { "0": record.guildId },
    ...(record.sourceMessage === undefined ? {} : { interacted_message_id: record.sourceMessage }),
  };
  return metadata as unknown as APIMessage["interaction_metadata"];
}
