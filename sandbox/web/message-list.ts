import type { SandboxMessage } from "../types.ts";
import { APPLICATION_AVATAR } from "./avatars.ts";
import { h } from "./dom.ts";
import { tickTimes } from "./markdown-view.ts";
import { type MessageContext, messageElement, thinking, usedCommand } from "./message-view.ts";
import { timestampWords } from "./timestamps.ts";

/** Messages of one author within this time share one heading, as in Discord. */
const GROUP_MS = 7 * 60_000;
/** How near the end counts as being at the end, in pixels. */
const END_PX = 80;
const TICK_MS = 1000;

export interface ListActions {
  context: Omit<MessageContext, "use" | "dismiss">;
  /** Sends a used component; resolves once it was answered. */
  press(message: SandboxMessage, customId: string, values?: string[]): Promise<void>;
}

/** The messages of one channel, oldest first, followed at the end while the reader is there. */
export class MessageList {
  readonly element: HTMLElement;
  readonly #inner: HTMLElement;
  readonly #actions: ListActions;
  readonly #messages = new Map<string, SandboxMessage>();
  readonly #elements = new Map<string, HTMLElement>();
  readonly #dismissed = new Set<string>();
  readonly #pending = new Set<string>();
  #intro: HTMLElement = h("div");
  #atEnd = true;
  /** Height of the content when the list was last brought to its end. */
  #height = 0;

  constructor(actions: ListActions) {
    this.#actions = actions;
    this.#inner = h("div", { class: "messages-inner" });
    this.element = h("div", { class: "messages", role: "log", "aria-label": "Messages", tabindex: 0 }, this.#inner);
    this.element.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.element;
      // The content has grown or shrunk since: nobody scrolled.
      if (scrollHeight !== this.#height) return;
      this.#atEnd = scrollHeight - scrollTop - clientHeight < END_PX;
    });
    // Components draw themselves a moment after they were added, and windows change their size.
    new ResizeObserver(() => this.#follow()).observe(this.#inner);
    new ResizeObserver(() => this.#follow()).observe(this.element);
    setInterval(() => tickTimes(this.element, Date.now()), TICK_MS);
  }

  /** Shows another channel, or the same one as somebody else. */
  show(channelName: string, messages: readonly SandboxMessage[]): void {
    this.#messages.clear();
    this.#elements.clear();
    for (const message of messages) this.#messages.set(message.id, message);
    this.#intro = intro(channelName);
    this.#atEnd = true;
    this.#drawAll();
  }

  /** Adds a message or brings a known one up to date, in its place. */
  put(message: SandboxMessage): void {
    const known = this.#messages.has(message.id);
    this.#messages.set(message.id, message);
    if (known) this.#redraw(message.id);
    else this.#append(message);
    this.#follow();
  }

  remove(id: string): void {
    if (!this.#messages.delete(id)) return;
    this.#drawAll();
  }

  /** Shows that a command was sent; the returned function takes it away. */
  placeholder(member: string, command: string, bot: string): () => void {
    const { context } = this.#actions;
    const element = h(
      "discord-message",
      { author: bot, avatar: APPLICATION_AVATAR, bot: "", "data-testid": "pending" },
      usedCommand(member, command, context),
      thinking(bot),
    );
    element.timestamp = "";
    this.#inner.append(element);
    this.#atEnd = true;
    this.#follow();
    return () => element.remove();
  }

  #drawAll(): void {
    this.#elements.clear();
    this.#inner.replaceChildren(this.#intro);
    for (const message of this.#messages.values()) this.#append(message);
    this.#follow();
  }

  #append(message: SandboxMessage): void {
    if (this.#dismissed.has(message.id)) return;
    const before = this.#before(message.id);
    const day = dayOf(message);
    const pending = this.#inner.querySelector(":scope > [data-testid=pending]");
    if (before === undefined || dayOf(before) !== day) this.#inner.insertBefore(divider(day), pending);
    const element = this.#draw(message);
    this.#elements.set(message.id, element);
    this.#inner.insertBefore(element, pending);
  }

  #redraw(id: string): void {
    const message = this.#messages.get(id);
    const old = this.#elements.get(id);
    if (message === undefined || old === undefined) return;
    const element = this.#draw(message);
    old.replaceWith(element);
    this.#elements.set(id, element);
  }

  #draw(message: SandboxMessage): HTMLElement {
    const before = this.#before(message.id);
    const follows = before !== undefined && isGrouped(before, message);
    return messageElement(message, follows, {
      ...this.#actions.context,
      dismiss: () => {
        this.#dismissed.add(message.id);
        this.#drawAll();
      },
      use: () => ({
        isPending: (customId) => this.#pending.has(`${message.id}/${customId}`),
        press: (customId, values) => this.#press(message, customId, values),
      }),
    });
  }

  #press(message: SandboxMessage, customId: string, values: string[] | undefined): void {
    const key = `${message.id}/${customId}`;
    this.#pending.add(key);
    this.#redraw(message.id);
    void this.#actions.press(message, customId, values).finally(() => {
      this.#pending.delete(key);
      this.#redraw(message.id);
    });
  }

  /** The message that stands before this one on the page. */
  #before(id: string): SandboxMessage | undefined {
    let before: SandboxMessage | undefined;
    for (const message of this.#messages.values()) {
      if (message.id === id) return before;
      if (!this.#dismissed.has(message.id)) before = message;
    }
    return before;
  }

  #follow(): void {
    this.#height = this.element.scrollHeight;
    if (this.#atEnd) this.element.scrollTop = this.#height;
  }
}

function isGrouped(before: SandboxMessage, message: SandboxMessage): boolean {
  return (
    before.author.id === message.author.id &&
    message.interaction === undefined &&
    before.ephemeral === message.ephemeral &&
    dayOf(before) === dayOf(message) &&
    Date.parse(message.timestamp) - Date.parse(before.timestamp) < GROUP_MS
  );
}

function dayOf(message: SandboxMessage): string {
  return timestampWords(Date.parse(message.timestamp), "D", Date.now());
}

function divider(day: string): HTMLElement {
  return h("div", { class: "divider", role: "separator", "aria-label": day }, h("span", {}, day));
}

function intro(channel: string): HTMLElement {
  return h(
    "header",
    { class: "intro" },
    h("span", { class: "intro-hash", "aria-hidden": "true" }, "#"),
    h("h1", {}, `Welcome to #${channel}!`),
    h("p", {}, `This is the start of the #${channel} channel. Type / to see what the application can do.`),
  );
}
