import { fetchMessages, fetchWorld, listen, pressComponent, sendCommand, submitModal } from "./api.ts";
import { roleName } from "./completion.ts";
import { Composer } from "./composer.ts";
import { h } from "./dom.ts";
import { startTicking } from "./markdown-dom.ts";
import { memberSwitch } from "./member-switch.ts";
import { MessageList } from "./message-list.ts";
import type { MessageContext } from "./message-view.ts";
import { openModal } from "./modal.ts";
import { channelHeader, channelList, guildRail, memberList } from "./sidebar.ts";
import { Store } from "./store.ts";
import { applyTheme } from "./theme.ts";
import { toast } from "./toast.ts";
import type { Guild, Message, OptionValue, Outcome } from "./types.ts";

/** The page of the sandbox. This is its entry: it loads the state, builds the views, and connects them. */
class App {
  readonly #store: Store;
  readonly #composer: Composer;
  readonly #list: MessageList;
  /** Changes of messages since the newest load began; undefined while none is under way. */
  #sinceLoad: (() => void)[] | undefined;
  #loads = 0;

  constructor(store: Store) {
    this.#store = store;
    this.#list = new MessageList(store, (message) => this.#contextFor(message));
    this.#composer = new Composer(store, { send: (command, options) => this.#run(this.#send(command, options)), tell: toast });
  }

  start(root: HTMLElement): void {
    const app = h("div", { class: "app" });
    const go = (hash: string) => {
      history.pushState(null, "", hash);
      this.#store.setHash(hash);
    };
    const header = channelHeader(this.#store, () => !app.classList.toggle("members-hidden"));
    app.append(
      guildRail(this.#store),
      h("div", { class: "sidebar" }, channelList(this.#store), memberSwitch(this.#store, go)),
      h(
        "main",
        { class: "chat" },
        header,
        h(
          "div",
          { class: "chat-body" },
          h("div", { class: "chat-column" }, this.#list.element, this.#composer.element),
          memberList(this.#store),
        ),
      ),
    );
    root.replaceChildren(app);
    this.#showHash();
    addEventListener("hashchange", () => this.#store.setHash(location.hash));
    // A link to another place works at once; the browser tells of the new address only later, when somebody may be typing already.
    app.addEventListener("click", (event) => {
      const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
      const hash = link?.getAttribute("href");
      if (hash === null || hash === undefined) return;
      event.preventDefault();
      go(hash);
    });
    this.#store.on("place", () => {
      this.#showHash();
      this.#run(this.#loadMessages(true));
      this.#composer.focus();
    });
    this.#listen();
    startTicking();
    this.#composer.focus();
  }

  #listen(): void {
    const live = document.querySelector<HTMLElement>('[data-testid="connection"]');
    const say = (state: "open" | "lost", words: string) => {
      if (live === null) return;
      live.textContent = words;
      live.dataset.state = state;
    };
    let opened = false;
    listen({
      opened: () => {
        say("open", "");
        // What happened while the stream was away, or before it was there, is unknown.
        this.#run(this.#loadWorld());
        this.#run(this.#loadMessages(!opened));
        opened = true;
      },
      lost: () => say("lost", "Reconnecting…"),
      created: ({ message }) => {
        this.#apply(() => this.#store.putMessage(message));
        this.#store.markUnread(message);
      },
      put: ({ message }) => this.#apply(() => this.#store.putMessage(message)),
      removed: ({ message }) => this.#apply(() => this.#store.removeMessage(message.id)),
      worldChanged: () => this.#run(this.#loadWorld()),
    });
  }

  /** The newest request wins; an answer for a place that was left is dropped. */
  async #loadMessages(reset: boolean): Promise<void> {
    this.#loads += 1;
    const load = this.#loads;
    this.#sinceLoad = [];
    try {
      const messages = await fetchMessages(this.#store.place);
      if (load !== this.#loads) return;
      this.#store.setMessages(messages, reset);
      // What came while the answer was on its way is newer than the answer.
      for (const change of this.#sinceLoad ?? []) change();
    } finally {
      if (load === this.#loads) this.#sinceLoad = undefined;
    }
  }

  /** Applies a change now, and once more after messages that are being loaded. */
  #apply(change: () => void): void {
    change();
    this.#sinceLoad?.push(change);
  }

  async #loadWorld(): Promise<void> {
    this.#store.setWorld(await fetchWorld());
  }

  async #send(command: string, options: Record<string, OptionValue>): Promise<void> {
    const place = this.#store.place;
    const pending = this.#store.addPending(command);
    this.#list.toEnd();
    try {
      const outcome = await sendCommand(place, command, options);
      this.#store.endPending(pending.key);
      this.#after(outcome);
    } catch (error) {
      this.#store.endPending(pending.key, wordsOf(error));
    }
  }

  /** What came of an interaction besides messages: a form, or a refusal of the sandbox itself. Failures have a notice among the messages. */
  #after(outcome: Outcome, source?: string): void {
    if (!outcome.ok && outcome.code !== undefined) toast(outcome.error ?? "This did not work.");
    const { modal } = outcome;
    if (modal === undefined) return;
    const { place } = this.#store;
    const submit = async (fields: Record<string, string>) => {
      const answer = await submitModal(place, { customId: modal.custom_id, fields, ...(source === undefined ? {} : { message: source }) });
      if (answer.ok) this.#after(answer, source);
      return answer.ok ? null : `Something went wrong. Try again. (${answer.error ?? "no answer"})`;
    };
    this.#run(openModal(modal, { bot: this.#store.world.bot, submit }).then(() => this.#composer.focus()));
  }

  #contextFor({ id }: Message): MessageContext {
    const store = this.#store;
    return {
      bot: store.world.bot,
      memberNamed: (name) => store.guild.members.find((member) => member.name === name),
      memberById: (wanted) => store.guild.members.find((member) => member.id === wanted),
      messageById: (wanted) => store.messages.find((message) => message.id === wanted),
      userName: (wanted) => (wanted === store.world.bot.id ? store.world.bot.name : everywhere(store, "members", wanted)?.name),
      channelName: (wanted) => everywhere(store, "channels", wanted)?.name,
      role: (wanted) => everywhere(store, "roles", wanted),
      useCommand: (path) => this.#composer.use(path),
      people: () => store.guild.members.map((member) => ({ label: member.name, value: member.id })),
      roles: () => store.guild.roles.map((role) => ({ label: roleName(role.name), value: role.id })),
      channels: () => store.guild.channels.map((channel) => ({ label: `#${channel.name}`, value: channel.id })),
      press: async (customId, values) => {
        try {
          this.#after(await pressComponent(store.place, id, customId, values), id);
        } catch (error) {
          toast(wordsOf(error));
        }
      },
      dismiss: () => store.dismiss(id),
    };
  }

  /** The address always says where the page is, so that it can be copied. */
  #showHash(): void {
    const { guild, channel, isDirect } = this.#store;
    history.replaceState(null, "", this.#store.hashFor({}));
    document.title = isDirect ? `@${channel.name}` : `#${channel.name} | ${guild.name}`;
  }

  #run(task: Promise<void>): void {
    task.catch((error: unknown) => toast(wordsOf(error)));
  }
}

/** What a mention means: first that of the guild, then that of any other. */
function everywhere<K extends "members" | "roles" | "channels">(
  { guild, world }: Store,
  kind: K,
  id: string,
): Guild[K][number] | undefined {
  return [guild, ...world.guilds].flatMap((one): Guild[K][number][] => one[kind]).find((one) => one.id === id);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function open(root: HTMLElement): Promise<void> {
  try {
    new App(new Store(await fetchWorld(), location.hash)).start(root);
  } catch (error) {
    const again = h("button", { type: "button" }, "Try again");
    again.addEventListener("click", () => void open(root));
    root.replaceChildren(
      h("div", { class: "unreachable", role: "alert" }, h("p", {}, `The sandbox cannot be reached: ${wordsOf(error)}`), again),
    );
  }
}

applyTheme();
const root = document.getElementById("root");
if (root !== null) await open(root);
