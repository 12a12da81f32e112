import "@skyra/discord-components-core/discord-command.js";
import "@skyra/discord-components-core/discord-message.js";
import type { SandboxMessage } from "../types.ts";
import { APPLICATION_AVATAR, avatarPath } from "./avatars.ts";
import { componentElements, type Use } from "./component-view.ts";
import { h } from "./dom.ts";
import { embedElement } from "./embed-view.ts";
import { markdownNodes, type Names } from "./markdown-view.ts";
import { messageTime } from "./timestamps.ts";

export interface MessageContext {
  names: Names;
  /** The name that a user goes by, which is not the user name. */
  authorOf(message: SandboxMessage): string;
  /** CSS colour of a member's name. */
  colorOf(name: string): string | null;
  use(message: SandboxMessage): Use;
  dismiss(message: SandboxMessage): void;
}

/** A message as the web components draw it. `follows` leaves out author and picture, as the message before has them. */
export function messageElement(message: SandboxMessage, follows: boolean, context: MessageContext): HTMLElement {
  const author = context.authorOf(message);
  const bot = message.author.bot === true;
  const element = h("discord-message", {
    "data-testid": "message",
    "data-message-id": message.id,
    "data-failed": message.failed === undefined ? null : "",
    "data-thinking": message.thinking === true ? "" : null,
    role: "article",
    "aria-label": `Message of ${author}`,
    author,
    avatar: bot ? APPLICATION_AVATAR : avatarPath(author),
    bot: bot ? "" : null,
    "role-color": bot ? null : context.colorOf(author),
    "message-body-only": follows ? "" : null,
    ephemeral: message.ephemeral ? "" : null,
  });
  element.timestamp = messageTime(Date.parse(message.timestamp), Date.now());
  element.dismissMessageClicked = () => context.dismiss(message);
  if (message.interaction !== undefined && message.interaction_metadata?.type !== MESSAGE_COMPONENT) {
    element.append(usedCommand(message.interaction.member, message.interaction.name, context));
  }
  element.append(...body(message, context));
  element.append(...message.embeds.map((embed) => embedElement(embed, context.names)));
  element.append(...componentElements(message.components ?? [], context.names, context.use(message)));
  return element;
}

/** Discord's interaction type: a pressed button has no command to show above its answer. */
const MESSAGE_COMPONENT = 3;

/** The line "Marlin used /backup now" above an answer. */
export function usedCommand(member: string, command: string, context: Pick<MessageContext, "colorOf">): HTMLElement {
  const attributes = { slot: "reply", author: member, avatar: avatarPath(member), command, "role-color": context.colorOf(member) };
  return h("discord-command", attributes);
}

/** What stands in place of an answer that has not come yet. */
export function thinking(name: string): HTMLElement {
  const dots = h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
  return h("span", { class: "thinking" }, dots, `${name} is thinking…`);
}

function body(message: SandboxMessage, context: MessageContext): Node[] {
  if (message.thinking === true) return [thinking(context.authorOf(message))];
  if (message.failed !== undefined) {
    const why = message.failed.startsWith(message.content) ? [] : [h("span", { class: "failed-why" }, message.failed)];
    return [h("span", { class: "failed", role: "alert", title: message.failed }, message.content), ...why];
  }
  const nodes = message.content === "" ? [] : markdownNodes(message.content, context.names);
  if (message.edited_timestamp === null) return nodes;
  const at = messageTime(Date.parse(message.edited_timestamp), Date.now());
  return [...nodes, h("span", { class: "edited", title: `Edited ${at}`, "data-testid": "edited" }, "(edited)")];
}
