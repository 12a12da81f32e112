import "@skyra/discord-components-core/discord-messages.js";
import { avatarOf } from "./avatars.ts";
import { h, ICONS, icon } from "./dom.ts";
import { continues, startsDay } from "./message-rules.ts";
import { type MessageContext, MessageView, pendingElement } from "./message-view.ts";
import type { Store } from "./store.ts";
import { dayWords } from "./timestamps.ts";
import type { Message } from "./types.ts";

/** Nearer to the end than this, new messages pull the list along. Pixels. */
const AT_END_PX = 48;

/** The scrolling list of messages. It keeps its place while messages above change, and follows when it stands at its end. */
export class MessageList {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #contextFor: (message: Message) => MessageContext;
  readonly #messages = h("discord-messages", { "no-background": true, role: "log", "aria-label": "Messages", "aria-live": "polite" });
  readonly #views = new Map<string, MessageView>();
  #following = true;
  /** Where the list was scrolled to last, in pixels. */
  #top = 0;

  constructor(store: Store, contextFor: (message: Message) => MessageContext) {
    this.#store = store;
    this.#contextFor = contextFor;
    this.element = h(
      "div",
      { class: "messages", "data-testid": "message-list", tabindex: 0, "aria-label": "Messages of the channel" },
      this.#messages,
    );
    this.element.addEventListener("scroll", () => this.#scrolled());
    const follow = new ResizeObserver(() => {
      if (this.#following) this.element.scrollTop = this.element.scrollHeight;
    });
    follow.observe(this.#messages);
    follow.observe(this.element);
    store.on("messages", (reset) => this.#show(reset));
    store.on("world", () => this.#show(false));
    this.#show(true);
  }

  /** Goes to the end, as after sending. */
  toEnd(): void {
    this.#following = true;
    this.element.scrollTop = this.element.scrollHeight;
  }

  /** Only a person scrolls up. Content that grew since must not look as if one had. */
  #scrolled(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    const atEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    if (atEnd) this.#following = true;
    else if (scrollTop < this.#top) this.#following = false;
    this.#top = scrollTop;
  }

  #show(reset: boolean): void {
    if (reset) {
      this.#views.clear();
      this.#following = true;
    }
    const { messages } = this.#store;
    const wanted: HTMLElement[] = [this.#beginning()];
    const shown = new Set<string>();
    let before: Message | undefined;
    for (const message of messages) {
      const newDay = startsDay(message, before);
      if (newDay) wanted.push(dayLine(message));
      wanted.push(this.#viewOf(message, !newDay && continues(message, before)).element);
      shown.add(message.id);
      before = message;
    }
    for (const id of [...this.#views.keys()]) if (!shown.has(id)) this.#views.delete(id);
    for (const pending of this.#store.pending) {
      if (pending.channel !== this.#store.place.channel) continue;
      wanted.push(pendingElement(pending, this.#peopleContext(), () => this.#store.endPending(pending.key)));
    }
    arrange(this.#messages, wanted);
  }

  #viewOf(message: Message, continued: boolean): MessageView {
    const known = this.#views.get(message.id);
    if (known !== undefined) {
      known.update(message, continued);
      return known;
    }
    const view = new MessageView(message, this.#contextFor(message));
    view.update(message, continued);
    this.#views.set(message.id, view);
    return view;
  }

  #peopleContext(): Pick<MessageContext, "bot" | "memberNamed"> {
    return {
      bot: this.#store.world.bot,
      memberNamed: (name) => this.#store.guild.members.find((member) => member.name === name),
    };
  }

  #beginning(): HTMLElement {
    const { channel, isDirect, world } = this.#store;
    const { name } = channel;
    if (isDirect) {
      return h(
        "div",
        { class: "beginning", "data-kept": "beginning-direct" },
        h("img", { class: "beginning-icon", src: avatarOf("bot", world.bot.id), alt: "" }),
        h("h1", {}, name),
        h("p", {}, `This is the beginning of your direct messages with ${name}.`),
      );
    }
    return h(
      "div",
      { class: "beginning", "data-kept": "beginning" },
      h("div", { class: "beginning-icon" }, icon(ICONS.hash, 40)),
      h("h1", {}, `Welcome to #${name}!`),
      h("p", {}, `This is the start of the #${name} channel.`),
    );
  }
}

function dayLine(message: Message): HTMLElement {
  const words = dayWords(Date.parse(message.timestamp));
  return h("div", { class: "day-line", role: "separator", "aria-label": words, "data-kept": words }, h("span", {}, words));
}

/** Brings the children into the wanted order and leaves alone what stands right, so that focus and pointer stay where they are. */
function arrange(parent: Element, wanted: readonly HTMLElement[]): void {
  for (const [index, element] of wanted.entries()) {
    const there = parent.children[index];
    if (there === element || (there !== undefined && isSameLine(there, element))) continue;
    const next = parent.children[index + 1];
    // One element that went away: what follows stands right already.
    if (there !== undefined && next === element) there.remove();
    else parent.insertBefore(element, there ?? null);
  }
  while (parent.children.length > wanted.length) parent.lastElementChild?.remove();
}

function isSameLine(there: Element, wanted: HTMLElement): boolean {
  const kept = wanted.dataset.kept;
  return kept !== undefined && (there as HTMLElement).dataset.kept === kept && there.textContent === wanted.textContent;
}
