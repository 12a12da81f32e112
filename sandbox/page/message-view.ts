import "@skyra/discord-components-core/discord-command.js";
import "@skyra/discord-components-core/discord-file-attachment.js";
import "@skyra/discord-components-core/discord-message.js";
import "@skyra/discord-components-core/discord-reply.js";
import { avatarOf } from "./avatars.ts";
import { type ComponentContext, componentElements } from "./component-view.ts";
import { h, ICONS, icon, setAttributes } from "./dom.ts";
import { embedElement } from "./embed-view.ts";
import { mentionWords, renderMarkdown } from "./markdown-dom.ts";
import { parseInline, plainText } from "./markdown-inline.ts";
import { answeredCommand, fileSize } from "./message-rules.ts";
import type { Pending } from "./store.ts";
import { messageTime } from "./timestamps.ts";
import type { Attachment, Member, Message, Named } from "./types.ts";

export interface MessageContext extends ComponentContext {
  bot: Named;
  memberNamed(name: string): Member | undefined;
  memberById(id: string): Member | undefined;
  messageById(id: string): Message | undefined;
  dismiss(): void;
}

type Part = "reply" | "content" | "embeds" | "components" | "attachments";

/** One message in the list. An edit renews only the parts that changed, so that a button under the pointer stays the same element. */
export class MessageView {
  readonly element: HTMLElementTagNameMap["discord-message"];
  readonly #parts = new Map<Part, { json: string; nodes: HTMLElement[] }>();
  readonly #context: MessageContext;

  constructor(message: Message, context: MessageContext) {
    this.#context = context;
    this.element = h("discord-message", { "data-testid": "message", "data-message-id": message.id, role: "article" });
    this.element.dismissMessageClicked = () => context.dismiss();
    this.update(message, false);
  }

  /** Shows the message as it is now. `continued` hides author and time below a message of the same author. */
  update(message: Message, continued: boolean): void {
    const { bot } = this.#context;
    const member = this.#context.memberById(message.author.id);
    const isBot = message.author.bot === true || message.author.id === bot.id;
    const name = isBot ? bot.name : (member?.name ?? message.author.username);
    setAttributes(this.element, {
      author: name,
      avatar: avatarOf(isBot ? "bot" : (member?.label ?? "player"), message.author.id),
      bot: isBot,
      "role-color": member?.color,
      timestamp: messageTime(Date.parse(message.timestamp), { now: Date.now() }),
      "aria-label": `Message of ${name}`,
      ephemeral: message.ephemeral === true,
      "message-body-only": continued,
      "data-failed": message.failed,
    });
    this.#part("reply", [message.interaction, message.interaction_metadata], () => replyLine(message, this.#context));
    this.#part("content", [message.content, message.failed, message.thinking, isEdited(message)], () => contentOf(message, this.#context));
    this.#part("attachments", message.attachments ?? [], () => (message.attachments ?? []).map(attachment));
    this.#part("embeds", [message.embeds, isEdited(message) && message.content === ""], () => embedsOf(message, this.#context));
    this.#part("components", message.components ?? [], () => componentElements(message.components ?? [], this.#context));
  }

  #part(part: Part, data: unknown, make: () => HTMLElement[]): void {
    const json = JSON.stringify(data);
    const old = this.#parts.get(part);
    if (old?.json === json) return;
    const nodes = make();
    for (const node of old?.nodes ?? []) node.remove();
    this.element.append(...nodes);
    this.#parts.set(part, { json, nodes });
  }
}

/** A command on its way: what Discord shows until the application has answered. */
export function pendingElement(pending: Pending, context: Pick<MessageContext, "bot" | "memberNamed">, dismiss: () => void): HTMLElement {
  const { bot } = context;
  const element = h(
    "discord-message",
    {
      "data-testid": "message-pending",
      "data-kept": `pending-${pending.key}-${pending.failed !== null}`,
      role: "status",
      author: bot.name,
      avatar: avatarOf("bot", bot.id),
      bot: true,
      timestamp: messageTime(Date.now(), { now: Date.now() }),
      ephemeral: pending.failed !== null,
    },
    commandLine(pending.command, pending.member, context),
    pending.failed === null ? thinking(bot.name) : failure("The application did not respond", pending.failed),
  );
  element.dismissMessageClicked = dismiss;
  return element;
}

function isEdited(message: Message): boolean {
  return typeof message.edited_timestamp === "string";
}

function replyLine(message: Message, context: MessageContext): HTMLElement[] {
  const { interaction, interaction_metadata: metadata } = message;
  if (interaction === undefined) return [];
  const command = answeredCommand(message);
  if (command !== null) return [commandLine(command, interaction.member, context)];
  const source = metadata?.interacted_message_id === undefined ? undefined : context.messageById(metadata.interacted_message_id);
  if (source === undefined) return [];
  const words = source.content === "" ? (source.embeds?.[0]?.title ?? "Click to see the message") : source.content;
  const reply = h(
    "discord-reply",
    { slot: "reply", author: context.bot.name, avatar: avatarOf("bot", source.author.id), bot: true },
    plainText(parseInline(words), (mention) => mentionWords(mention, context)),
  );
  return [reply];
}

function commandLine(command: string, memberName: string, context: Pick<MessageContext, "memberNamed">): HTMLElement {
  const member = context.memberNamed(memberName);
  return h("discord-command", {
    slot: "reply",
    author: memberName,
    command,
    avatar: avatarOf(member?.label ?? "player", member?.id ?? memberName),
    "role-color": member?.color,
  });
}

function contentOf(message: Message, context: MessageContext): HTMLElement[] {
  if (message.thinking === true) return [thinking(context.bot.name)];
  if (message.failed !== undefined) return [failure(message.content, message.failed)];
  if (message.content === "") return [];
  const edited = isEdited(message) ? h("span", { class: "edited", "data-testid": "edited" }, " (edited)") : null;
  return [h("div", { class: "message-content" }, ...renderMarkdown(message.content, context), edited)];
}

function thinking(name: string): HTMLElement {
  const dots = h("span", { class: "thinking-dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
  return h("div", { class: "thinking", "data-testid": "thinking" }, dots, `${name} is thinking…`);
}

function failure(words: string, reason: string): HTMLElement {
  return h("div", { class: "failure", "data-testid": "failure", title: reason }, icon(ICONS.warning, 16), h("span", {}, words));
}

function embedsOf(message: Message, context: MessageContext): HTMLElement[] {
  const embeds = (message.embeds ?? []).map((embed) => embedElement(embed, context));
  const shownBelow = isEdited(message) && message.content === "" && embeds.length > 0;
  return shownBelow ? [...embeds, h("div", { slot: "embeds", class: "edited", "data-testid": "edited" }, "(edited)")] : embeds;
}

function attachment({ filename, size, url, description }: Attachment): HTMLElement {
  const [amount, unit] = fileSize(size);
  return h("discord-file-attachment", {
    slot: "attachments",
    "data-testid": "attachment",
    name: filename,
    bytes: amount,
    "bytes-unit": unit,
    href: url,
    target: "_blank",
    title: description,
  });
}
