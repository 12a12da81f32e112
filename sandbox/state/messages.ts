import type { APIMessage, APIUser } from "discord-api-types/v10";
import { MessageFlags, MessageType } from "discord-api-types/v10";
import { isRecord, text } from "../check/form.ts";
import { SandboxError } from "../errors.ts";
import type { Snowflakes } from "../snowflake.ts";
import type { MessageVersion, SandboxMessage } from "../types.ts";
import type { Events } from "./events.ts";
import { joinPings, NO_PINGS, pingsOf } from "./mentions.ts";
import { pingableText, shapeComponents, shapeEmbeds } from "./message-shape.ts";

export const MESSAGES_PER_CHANNEL_MAX = 500;
export const VERSIONS_PER_MESSAGE_MAX = 200;

export interface NewMessage {
  channelId: string;
  author: APIUser;
  /** A checked body: content, embeds, components, flags, allowed_mentions. */
  body: unknown;
  ephemeralFor?: string;
  thinking?: boolean;
  failed?: string;
  interaction?: SandboxMessage["interaction"];
  metadata?: APIMessage["interaction_metadata"];
  /** Set for messages made through an interaction's webhook. */
  applicationId?: string;
}

const EDITABLE_FLAGS = MessageFlags.SuppressEmbeds | MessageFlags.IsComponentsV2;

/** All messages, oldest first in each channel, with what they were before. */
export class Messages {
  readonly #channels = new Map<string, SandboxMessage[]>();
  readonly #byId = new Map<string, SandboxMessage>();
  readonly #history = new Map<string, MessageVersion[]>();
  readonly #ids: Snowflakes;
  readonly #now: () => number;
  readonly #events: Events;

  constructor(parts: { ids: Snowflakes; now: () => number; events: Events }) {
    this.#ids = parts.ids;
    this.#now = parts.now;
    this.#events = parts.events;
  }

  create(input: NewMessage): SandboxMessage {
    const body = isRecord(input.body) ? input.body : {};
    const components = shapeComponents(body.components);
    const flags = (typeof body.flags === "number" ? body.flags : 0) & ~MessageFlags.Ephemeral;
    const ephemeral = input.ephemeralFor !== undefined;
    const message: SandboxMessage = {
      id: this.#ids.next(),
      channel_id: input.channelId,
      type: input.interaction === undefined ? MessageType.Default : MessageType.ChatInputCommand,
      author: input.author,
      content: text(body.content),
      embeds: shapeEmbeds(body.embeds),
      components,
      attachments: [],
      mentions: [],
      mention_roles: [],
      mention_everyone: false,
      pinned: false,
      tts: body.tts === true,
      timestamp: new Date(this.#now()).toISOString(),
      edited_timestamp: null,
      flags: flags | (ephemeral ? MessageFlags.Ephemeral : 0) | (input.thinking === true ? MessageFlags.Loading : 0),
      ephemeral,
      pings: pingsOf(pingableText(text(body.content), components), body.allowed_mentions),
      edits: 0,
      ...(input.ephemeralFor === undefined ? {} : { ephemeralFor: input.ephemeralFor }),
      ...(input.thinking === true ? { thinking: true } : {}),
      ...(input.failed === undefined ? {} : { failed: input.failed }),
      ...(input.interaction === undefined ? {} : { interaction: input.interaction }),
      ...(input.metadata === undefined ? {} : { interaction_metadata: input.metadata }),
      ...(input.applicationId === undefined ? {} : { application_id: input.applicationId, webhook_id: input.applicationId }),
    };
    this.#keep(message);
    this.#remember(message);
    this.#events.emit("message_create", { channel: message.channel_id, message: copy(message) });
    return copy(message);
  }

  /** Applies a checked partial body. The first edit of a deferred response is its content and does not count as an edit. */
  edit(id: string, body: unknown): SandboxMessage {
    const message = this.#byId.get(id);
    if (message === undefined) throw new SandboxError("unknown_message", `There is no message ${id}.`);
    const change = isRecord(body) ? body : {};
    if (change.content !== undefined) message.content = text(change.content);
    if (change.embeds !== undefined) message.embeds = shapeEmbeds(change.embeds);
    if (change.components !== undefined) message.components = shapeComponents(change.components);
    if (typeof change.flags === "number") message.flags = (Number(message.flags) & ~EDITABLE_FLAGS) | (change.flags & EDITABLE_FLAGS);
    if (message.thinking === true) {
      delete message.thinking;
      message.flags = Number(message.flags) & ~MessageFlags.Loading;
    } else {
      message.edits += 1;
      message.edited_timestamp = new Date(this.#now()).toISOString();
    }
    const pingable = pingableText(message.content, message.components ?? []);
    message.pings = joinPings(
      message.pings,
      change.content === undefined && change.components === undefined ? NO_PINGS : pingsOf(pingable, change.allowed_mentions),
    );
    this.#remember(message);
    this.#events.emit("message_update", { channel: message.channel_id, message: copy(message) });
    return copy(message);
  }

  delete(id: string): void {
    const message = this.#byId.get(id);
    if (message === undefined) return;
    this.#forget(message);
    this.#events.emit("message_delete", { channel: message.channel_id, message: copy(message) });
  }

  get(id: string): SandboxMessage | undefined {
    const message = this.#byId.get(id);
    return message === undefined ? undefined : copy(message);
  }

  list(channelId: string, asMember?: string): SandboxMessage[] {
    const all = this.#channels.get(channelId) ?? [];
    return all.filter((message) => asMember === undefined || isVisibleTo(message, asMember)).map(copy);
  }

  all(): SandboxMessage[] {
    return [...this.#byId.values()].map(copy);
  }

  history(id: string): readonly MessageVersion[] {
    return structuredClone(this.#history.get(id) ?? []);
  }

  /** Takes back kept messages, oldest first, without events. */
  restore(messages: readonly SandboxMessage[]): void {
    for (const message of messages) this.#keep(copy(message));
  }

  #keep(message: SandboxMessage): void {
    const channel = this.#channels.get(message.channel_id) ?? [];
    this.#channels.set(message.channel_id, channel);
    channel.push(message);
    this.#byId.set(message.id, message);
    const oldest = channel[0];
    if (channel.length > MESSAGES_PER_CHANNEL_MAX && oldest !== undefined) this.#forget(oldest);
  }

  #forget(message: SandboxMessage): void {
    const channel = this.#channels.get(message.channel_id) ?? [];
    channel.splice(channel.indexOf(message), 1);
    this.#byId.delete(message.id);
    this.#history.delete(message.id);
  }

  #remember({ id, content, embeds, components }: SandboxMessage): void {
    const versions = this.#history.get(id) ?? [];
    this.#history.set(id, versions);
    versions.push(structuredClone({ at: this.#now(), content, embeds, ...(components === undefined ? {} : { components }) }));
    if (versions.length > VERSIONS_PER_MESSAGE_MAX) versions.shift();
  }
}

export function isVisibleTo(message: SandboxMessage, memberId: string): boolean {
  return message.ephemeralFor === undefined || message.ephemeralFor === memberId;
}

/** The message as Discord's REST API answers it, without what only the sandbox knows. */
export function toDiscordMessage(message: SandboxMessage): APIMessage {
  const { ephemeral: _1, ephemeralFor: _2, interaction: _3, thinking: _4, failed: _5, pings: _6, edits: _7, ...rest } = message;
  return rest;
}

function copy(message: SandboxMessage): SandboxMessage {
  return structuredClone(message);
}
