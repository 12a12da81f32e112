import {
  fetchChoices,
  fetchMessages,
  fetchState,
  listen,
  type Outcome,
  type PageState,
  pressComponent,
  sendCommand,
  submitModal,
} from "./api.ts";
import { visibleCommands } from "./commands.ts";
import { Composer } from "./composer.ts";
import { background, h } from "./dom.ts";
import type { Names } from "./markdown-view.ts";
import { MessageList } from "./message-list.ts";
import { openModal } from "./modal.ts";
import { type Here, hashOf, idsOf, placeFromHash } from "./place.ts";
import { channelList, guildRail } from "./sidebar.ts";
import { applyTheme } from "./theme.ts";
import { toast } from "./toast.ts";

/** The page as a whole: where one is, and what goes between the sandbox and the parts that draw. */
class Page {
  #state: PageState;
  #here: Here;
  readonly #root: HTMLElement;
  readonly #rail = h("div", { class: "slot" });
  readonly #side = h("div", { class: "slot" });
  readonly #title = h("header", { class: "channel-header" });
  readonly #list: MessageList;
  readonly #composer: Composer;
  /** Takes away the placeholders of commands that were not answered yet, by their name. */
  readonly #waiting: { command: string; member: string; done: () => void }[] = [];
  /** Counts loads of messages, so that a late one does not replace a newer. */
  #loads = 0;

  constructor(root: HTMLElement, state: PageState, here: Here) {
    this.#root = root;
    this.#state = state;
    this.#here = here;
    const colorOf = (name: string) => this.#here.guild.members.find((member) => member.name === name)?.color ?? null;
    this.#list = new MessageList({
      context: {
        names: this.#names(),
        authorOf: ({ author }) => this.#names().user(author.id) ?? author.username,
        colorOf,
      },
      press: (message, customId, values) => this.#guarded(() => pressComponent(idsOf(this.#here), message.id, customId, values)),
    });
    this.#composer = new Composer(state.application.name, {
      send: (command, options) => {
        const done = this.#list.placeholder(this.#here.member.name, command, state.application.name);
        this.#waiting.push({ command, member: this.#here.member.name, done });
        const place = idsOf(this.#here);
        background(this.#guarded(() => sendCommand(place, command, options)).finally(done), toast);
      },
      complete: async (command, options, focused) => {
        const { choices, error } = await fetchChoices(idsOf(this.#here), command, options, focused);
        if (error !== undefined) throw new Error(error);
        return choices.map(({ name, value }) => ({ label: name, value }));
      },
    });
  }

  start(): void {
    this.#root.replaceChildren(
      this.#rail,
      this.#side,
      h("main", { class: "chat" }, this.#title, this.#list.element, this.#composer.element),
    );
    window.addEventListener("hashchange", () => {
      const here = placeFromHash(location.hash, this.#state);
      if (here !== null) this.#go(here);
    });
    listen({
      message: (message) => {
        const { channel, member } = this.#here;
        if (message.channel_id !== channel.id) return;
        if (message.ephemeralFor !== undefined && message.ephemeralFor !== member.id) return;
        this.#answered(message.interaction);
        this.#list.put(message);
      },
      deleted: (message) => this.#list.remove(message.id),
      commands: () => background(this.#reload(), toast),
      reconnected: () =>
        background(
          this.#reload().then(() => this.#loadMessages()),
          toast,
        ),
    });
    this.#go(this.#here);
    this.#composer.focus();
  }

  #go(here: Here): void {
    this.#here = here;
    if (location.hash !== hashOf(here)) history.replaceState(null, "", hashOf(here));
    document.title = `#${here.channel.name} · ${here.guild.name} · sandbox`;
    const go = (next: Here) => this.#go(next);
    this.#rail.replaceChildren(guildRail(this.#state.guilds, here, go));
    this.#side.replaceChildren(channelList(here, go));
    this.#title.replaceChildren(
      h("span", { class: "hash", "aria-hidden": "true" }, "#"),
      h("h2", {}, here.channel.name),
      h("span", { class: "sandbox-mark" }, "local sandbox"),
    );
    this.#updateCommands();
    background(this.#loadMessages(), toast);
  }

  #updateCommands(): void {
    const { guild, member } = this.#here;
    this.#composer.update(this.#here, visibleCommands(this.#state.commands[guild.id] ?? [], member.permissions));
  }

  async #reload(): Promise<void> {
    this.#state = await fetchState();
    const here = placeFromHash(hashOf(this.#here), this.#state);
    if (here === null) return;
    this.#here = here;
    this.#updateCommands();
  }

  async #loadMessages(): Promise<void> {
    this.#loads += 1;
    const load = this.#loads;
    const { channel, member } = this.#here;
    const messages = await fetchMessages(channel.id, member.id);
    if (load === this.#loads) this.#list.show(channel.name, messages);
  }

  /** Carries out an interaction, and shows what came of it besides messages: a form, or a refusal. */
  async #guarded(interact: () => Promise<Outcome>): Promise<void> {
    try {
      const { ok, error, code, modal } = await interact();
      // A failed interaction has a notice among the messages; a refused one was never sent.
      if (!ok && code !== undefined) toast(error ?? "This was refused.");
      if (modal !== undefined) this.#openModal(modal);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error));
    }
  }

  #openModal(modal: NonNullable<Outcome["modal"]>): void {
    const place = idsOf(this.#here);
    openModal(modal, this.#state.application.name, async (fields) => {
      try {
        const { ok, error } = await submitModal(place, modal.custom_id, fields);
        return ok ? null : `Something went wrong. ${error ?? ""}`.trim();
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    });
  }

  #answered(interaction: { name: string; member: string } | undefined): void {
    const index = this.#waiting.findIndex((one) => one.command === interaction?.name && one.member === interaction.member);
    this.#waiting.splice(index, index < 0 ? 0 : 1)[0]?.done();
  }

  #names(): Names {
    const all = () => this.#state.guilds.flatMap((guild) => guild.members);
    return {
      user: (id) => (id === this.#state.bot.id ? this.#state.application.name : (all().find((member) => member.id === id)?.name ?? null)),
      channel: (id) => this.#here.guild.channels.find((channel) => channel.id === id)?.name ?? null,
    };
  }
}

async function open(root: HTMLElement): Promise<void> {
  applyTheme();
  const state = await fetchState();
  const here = placeFromHash(location.hash, state);
  if (here === null) throw new Error("This sandbox has no guild with a channel and a member.");
  new Page(root, state, here).start();
}

const root = document.getElementById("app");
if (root !== null) {
  open(root).catch((error: unknown) => {
    root.replaceChildren(h("p", { class: "broken", role: "alert" }, error instanceof Error ? error.message : String(error)));
  });
}
