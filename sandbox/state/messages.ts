import type { APIAttachment, APIMessage, APIUser } from "discord-api-types/v10";
import { MessageFlags, MessageType } from "discord-api-types/v10";
import { filenameOf, type NextAttachment, nextAttachments, safeFilename, type Upload } from "../check/attachments.ts";
import { isRecord, text } from "../check/form.ts";
import { SandboxError } from "../errors.ts";
import type { Snowflakes } from "../snowflake.ts";
import type { MessageVersion, SandboxMessage } from "../types.ts";
import type { Events } from "./events.ts";
import { type Files, filePath } from "./files.ts";
import { joinPings, NO_PINGS, pingsOf } from "./mentions.ts";
import { pingableText, shapeComponents, shapeEmbeds } from "./message-shape.ts";

export const MESSAGES_PER_CHANNEL_MAX = 500;
export const VERSIONS_PER_MESSAGE_MAX = 200;

export interface NewMessage {
  channelId: string;
  author: APIUser;
  /** A checked body: content, embeds, components, flags, allowed_mentions. */
  body: unknown;
  /** Files that came with the body. */
  uploads?: readonly Upload[];
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
  readonly #files: Files;
  /** Where files are served, as `http://127.0.0.1:4777`. Known once the server listens, so addresses are completed when messages are read. */
  readonly #origin: () => string;

  constructor(parts: { ids: Snowflakes; now: () => number; events: Events; files: Files; origin: () => string }) {
    this.#ids = parts.ids;
    this.#now = parts.now;
    this.#events = parts.events;
    this.#files = parts.files;
    this.#origin = parts.origin;
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
      attachments: nextAttachments(body, { uploads: input.uploads ?? [] }).map((one) => this.#attach(input.channelId, one, ephemeral)),
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
    this.#events.emit("message_create", { channel: message.channel_id, message: this.#copy(message) });
    return this.#copy(message);
  }

  /** Applies a checked partial body. The first edit of a deferred response is its content and does not count as an edit. */
  edit(id: string, body: unknown, uploads: readonly Upload[] = []): SandboxMessage {
    const message = this.#byId.get(id);
    if (message === undefined) throw new SandboxError("unknown_message", `There is no message ${id}.`);
    const change = isRecord(body) ? body : {};
    if (change.content !== undefined) message.content = text(change.content);
    if (change.embeds !== undefined) message.embeds = shapeEmbeds(change.embeds);
    if (change.components !== undefined) message.components = shapeComponents(change.components);
    this.#changeAttachments(message, change, uploads);
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
    this.#events.emit("message_update", { channel: message.channel_id, message: this.#copy(message) });
    return this.#copy(message);
  }

  delete(id: string): void {
    const message = this.#byId.get(id);
    if (message === undefined) return;
    this.#forget(message);
    this.#events.emit("message_delete", { channel: message.channel_id, message: this.#copy(message) });
  }

  get(id: string): SandboxMessage | undefined {
    const message = this.#byId.get(id);
    return message === undefined ? undefined : this.#copy(message);
  }

  list(channelId: string, asMember?: string): SandboxMessage[] {
    const all = this.#channels.get(channelId) ?? [];
    return all.filter((message) => asMember === undefined || isVisibleTo(message, asMember)).map((message) => this.#copy(message));
  }

  all(): SandboxMessage[] {
    return [...this.#byId.values()].map((message) => this.#copy(message));
  }

  history(id: string): readonly MessageVersion[] {
    return structuredClone(this.#history.get(id) ?? []);
  }

  /** Takes back kept messages, oldest first, without events. */
  restore(messages: readonly SandboxMessage[]): void {
    for (const message of messages) {
      const here = (message.attachments ?? []).map((one) => ({ ...one, url: pathOf(one.url), proxy_url: pathOf(one.proxy_url) }));
      this.#keep(structuredClone({ ...message, attachments: here }));
    }
  }

  #changeAttachments(message: SandboxMessage, change: Record<string, unknown>, uploads: readonly Upload[]): void {
    const next = nextAttachments(change, { uploads, attachments: message.attachments });
    const stay = new Set(next.flatMap((one) => ("kept" in one ? [one.kept.id] : [])));
    for (const { id } of message.attachments) if (!stay.has(id)) this.#files.remove(id);
    message.attachments = next.map((one) => this.#attach(message.channel_id, one, message.ephemeral));
  }

  #attach(channelId: string, next: NextAttachment, ephemeral: boolean): APIAttachment {
    const description = typeof next.about.description === "string" ? { description: next.about.description } : {};
    if ("kept" in next) return { ...next.kept, ...description };
    const { contentType, bytes } = next.added;
    const given = filenameOf(next);
    const filename = safeFilename(given);
    const file = { id: this.#ids.next(), channelId, filename, contentType, bytes };
    this.#files.add(file);
    const title = filename === given ? {} : { title: given.replace(/\.[^.]*$/u, "") };
    return {
      id: file.id,
      filename,
      ...title,
      ...description,
      size: bytes.length,
      url: filePath(file),
      proxy_url: filePath(file),
      content_type: contentType,
      ...(ephemeral ? { ephemeral } : {}),
    };
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
    for (const { id } of message.attachments) this.#files.remove(id);
  }

  #remember(message: SandboxMessage): void {
    const { id, content, embeds, components, attachments } = this.#copy(message);
    const versions = this.#history.get(id) ?? [];
    this.#history.set(id, versions);
    versions.push({ at: this.#now(), content, embeds, attachments, ...(components === undefined ? {} : { components }) });
    if (versions.length > VERSIONS_PER_MESSAGE_MAX) versions.shift();
  }

  /** A message for others: a copy, in which the addresses of files are complete. */
  #copy(message: SandboxMessage): SandboxMessage {
    const origin = this.#origin();
    const whole = (one: APIAttachment) => ({ ...one, url: origin + one.url, proxy_url: origin + one.proxy_url });
    return { ...structuredClone(message), attachments: message.attachments.map(whole) };
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

/** A state that was kept before the server listened has paths alone. */
function pathOf(address: string): string {
  return new URL(address, "http://127.0.0.1").pathname;
}
