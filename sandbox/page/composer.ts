import { fetchChoices } from "./api.ts";
import { type Completion, type CompletionSources, completions, firstHighlight, isAutocompleted } from "./completion.ts";
import { CompletionPopup } from "./completion-popup.ts";
import type { ComposerState } from "./composer-state.ts";
import * as composer from "./composer-state.ts";
import { h, ICONS, icon } from "./dom.ts";
import type { Store } from "./store.ts";
import type { Choice, OptionValue } from "./types.ts";

/** Typing pauses this long before the application is asked for choices. Milliseconds. */
const DEBOUNCE_MS = 120;

export interface ComposerActions {
  send(command: string, options: Record<string, OptionValue>): void;
  /** A line for the person at the page. */
  tell(words: string): void;
}

/** The line at the bottom: free text, or a command with its options as pills. The state lives in `composer-state`, this shows it. */
export class Composer {
  readonly element: HTMLElement;
  readonly #store: Store;
  readonly #actions: ComposerActions;
  readonly #popup: CompletionPopup;
  readonly #chip = h("span", { class: "composer-chip", "data-testid": "command-pill" });
  readonly #pills = h("span", { class: "composer-pills" });
  readonly #activeName = h("span", { class: "pill-name" });
  readonly #active = h("span", { class: "pill-plain" }, this.#activeName);
  readonly #more = h("span", { class: "composer-more" });
  readonly #input = h("input", {
    "data-testid": "composer-input",
    type: "text",
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 6000,
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": "completion-list",
  });
  #state: ComposerState = composer.EMPTY;
  #offers: Completion[] = [];
  #highlight = -1;
  #popupClosed = false;
  #choices: readonly Choice[] | null = [];
  #asked: { key: string; abort: AbortController } | null = null;
  #loadFailed = false;

  constructor(store: Store, actions: ComposerActions) {
    this.#store = store;
    this.#actions = actions;
    this.#popup = new CompletionPopup({ pick: (index) => this.#pick(index), hover: (index) => this.#setHighlight(index) });
    this.#active.append(this.#input);
    const slash = h("button", { type: "button", class: "composer-slash", "aria-label": "Use a slash command" }, icon(ICONS.slash, 20));
    const line = h("div", { class: "composer-line" }, this.#pills, this.#active, this.#more);
    this.element = h("div", { class: "composer" }, this.#popup.element, h("div", { class: "composer-box" }, slash, line));
    slash.addEventListener("click", () => this.#begin("/"));
    line.addEventListener("click", (event) => {
      if (event.target === line) this.#input.focus();
    });
    this.#input.addEventListener("input", () => this.#set(composer.typed(this.#state, this.#input.value, store.commands)));
    this.#input.addEventListener("keydown", (event) => this.#keydown(event));
    store.on("place", () => this.#set(composer.EMPTY));
    store.on("world", () => this.#set(this.#state));
    this.#set(composer.EMPTY);
  }

  /** Starts a command, as a click on a mention of it does. Unknown ones are left as text. */
  use(path: string): void {
    this.#begin(`/${path} `);
  }

  focus(): void {
    this.#input.focus();
  }

  #begin(text: string): void {
    this.#set(composer.typed(composer.EMPTY, text, this.#store.commands));
    this.#input.focus();
  }

  #keydown(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const handled = this.#key(event);
    if (!handled) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #key(event: KeyboardEvent): boolean {
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        return this.#move(event.key === "ArrowDown" ? 1 : -1);
      case "Tab":
        return !event.shiftKey && this.#tab();
      case "Enter":
        this.#enter();
        return true;
      case "Escape":
        return this.#escape();
      case "Backspace":
        if (this.#state.mode !== "command" || this.#input.value !== "") return false;
        this.#set(composer.backspaced(this.#state));
        return true;
      default:
        return false;
    }
  }

  #move(step: number): boolean {
    if (this.#offers.length === 0) return false;
    const from = this.#highlight === -1 && step === -1 ? 0 : this.#highlight;
    this.#setHighlight((from + step + this.#offers.length) % this.#offers.length);
    return true;
  }

  #tab(): boolean {
    if (this.#offers.length > 0) {
      this.#pick(Math.max(this.#highlight, 0));
      return true;
    }
    if (this.#state.mode !== "command" || this.#state.active === null) return false;
    this.#set(composer.committed(this.#state));
    return true;
  }

  #enter(): void {
    if (this.#highlight >= 0 && this.#offers.length > 0) this.#pick(this.#highlight);
    else if (this.#state.mode === "text") this.#enterText(this.#state.text.trim());
    else this.#enterCommand(this.#state);
  }

  #enterText(text: string): void {
    if (this.#store.isDirect && text !== "") this.#actions.tell("The sandbox sends nothing from direct messages.");
    else if (text.startsWith("/")) this.#actions.tell(`There is no command “${text}” that you may use here.`);
    else if (text !== "") this.#actions.tell("The sandbox sends slash commands only. Type / to see them.");
  }

  #enterCommand(state: composer.CommandState): void {
    // Choices are on their way and nothing was typed: there is nothing yet to take.
    if (this.#choices === null && state.draft === "") return;
    const { state: next, send } = composer.entered(state);
    this.#set(send ? composer.EMPTY : next);
    if (send) this.#actions.send(next.command.path, composer.commandValues(next));
  }

  #escape(): boolean {
    if (this.#state.mode === "text" && this.#offers.length > 0) {
      this.#popupClosed = true;
      this.#show();
      return true;
    }
    if (this.#state === composer.EMPTY) return false;
    this.#set(composer.EMPTY);
    return true;
  }

  #pick(index: number): void {
    const offer = this.#offers[index];
    if (offer === undefined) return;
    if (offer.kind === "command") this.#set(composer.enterCommand(offer.command));
    else if (this.#state.mode === "command" && offer.kind === "choice") this.#set(composer.picked(this.#state, offer.choice));
    else if (this.#state.mode === "command") this.#set(composer.asked(this.#state, offer.value));
    this.#input.focus();
  }

  #setHighlight(index: number): void {
    this.#highlight = index;
    this.#showPopup();
  }

  #set(state: ComposerState): void {
    this.#state = state;
    this.#popupClosed = false;
    this.#loadChoices();
    this.#offer();
    this.#show();
  }

  #offer(): void {
    this.#offers = this.#popupClosed ? [] : completions(this.#state, this.#sources());
    this.#highlight = firstHighlight(this.#state, this.#offers);
  }

  #sources(): CompletionSources {
    return { commands: this.#store.commands, autocomplete: this.#choices, guild: this.#store.guild, bot: this.#store.world.bot };
  }

  /** Asks the application for choices when the typed text or the option changed. */
  #loadChoices(): void {
    const state = this.#state;
    const wanted = state.mode === "command" && state.active !== null && isAutocompleted(state) ? state.active : null;
    if (state.mode !== "command" || wanted === null) {
      this.#asked?.abort.abort();
      this.#asked = null;
      this.#choices = [];
      this.#loadFailed = false;
      return;
    }
    const options = { ...composer.commandValues(state), [wanted]: state.draft };
    const key = JSON.stringify([this.#store.place, state.command.path, wanted, options]);
    if (this.#asked?.key === key) return;
    const first = this.#asked === null;
    this.#asked?.abort.abort();
    const abort = new AbortController();
    this.#asked = { key, abort };
    this.#choices = null;
    this.#loadFailed = false;
    const ask = () =>
      fetchChoices(this.#store.place, state.command.path, options, wanted, abort.signal)
        .then((choices) => this.#loaded(abort, choices, false))
        .catch(() => this.#loaded(abort, [], true));
    const timer = setTimeout(() => void ask(), first ? 0 : DEBOUNCE_MS);
    abort.signal.addEventListener("abort", () => clearTimeout(timer));
  }

  /** An answer to what is no longer typed is dropped. */
  #loaded(abort: AbortController, choices: readonly Choice[], failed: boolean): void {
    if (abort.signal.aborted) return;
    this.#choices = choices;
    this.#loadFailed = failed;
    this.#offer();
    this.#show();
  }

  #show(): void {
    if (this.#popupClosed) this.#offers = [];
    const state = this.#state;
    const command = state.mode === "command" ? state : null;
    this.#chip.textContent = `/${command?.command.path ?? ""}`;
    this.#pills.replaceChildren(...(command === null ? [] : [this.#chip, ...command.filled.map((filled) => this.#pill(filled))]));
    this.#activeName.textContent = command?.active ?? "";
    this.#active.className = command === null ? "pill-plain" : command.active === null ? "pill-none" : "pill pill-active";
    this.#active.classList.toggle("pill-wrong", command?.problem !== null && command !== null);
    const open = command === null ? 0 : composer.openOptions(command).length;
    this.#more.textContent = open === 0 ? "" : `+${open} optional`;
    const text = state.mode === "text" ? state.text : state.draft;
    if (this.#input.value !== text) this.#input.value = text;
    this.#input.placeholder = state.mode === "text" ? this.#prompt() : "";
    const label = command === null ? this.#prompt() : (command.active ?? `Options of /${command.command.path}`);
    this.#input.setAttribute("aria-label", label);
    this.#showPopup();
  }

  #prompt(): string {
    const { channel, isDirect } = this.#store;
    return `Message ${isDirect ? "@" : "#"}${channel.name}`;
  }

  #showPopup(): void {
    const loading = this.#choices === null ? "loading" : this.#loadFailed ? "failed" : "no";
    this.#popup.show({ state: this.#state, offers: this.#offers, highlight: this.#highlight, loading, bot: this.#store.world.bot });
    this.#input.setAttribute("aria-expanded", String(this.#offers.length > 0));
    if (this.#highlight >= 0 && this.#offers.length > 0) this.#input.setAttribute("aria-activedescendant", `completion-${this.#highlight}`);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  #pill({ name, label }: composer.Filled): HTMLElement {
    const pill = h(
      "button",
      { type: "button", class: "pill", "data-testid": "option-pill", "data-option": name, "aria-label": `${name}: ${label}. Change it` },
      h("span", { class: "pill-name" }, name),
      h("span", { class: "pill-value" }, label),
    );
    pill.addEventListener("click", () => {
      if (this.#state.mode === "command") this.#set(composer.reopened(this.#state, name));
      this.#input.focus();
    });
    return pill;
  }
}
