import { ApplicationCommandOptionType as Type } from "discord-api-types/v10";
import type { OptionValues } from "../types.ts";
import type { CommandOption, FlatCommand } from "./commands.ts";
import { h } from "./dom.ts";
import {
  activeOption,
  type Chosen,
  type CommandDraft,
  commit,
  type Draft,
  EMPTY,
  fixedChoices,
  isReady,
  reopen,
  stepBack,
  valuesOf,
  withText,
} from "./draft.ts";
import type { Here } from "./place.ts";
import { Popup } from "./popup.ts";
import { type OfferedChoices, type Suggestion, suggestionsFor } from "./suggestions.ts";
import { toast } from "./toast.ts";

/** Pause in typing before the application is asked for choices. */
const AUTOCOMPLETE_PAUSE_MS = 150;

export interface ComposerActions {
  send(command: string, options: OptionValues): void;
  /** Asks the application for choices. */
  complete(command: string, options: OptionValues, focused: string): Promise<Chosen[]>;
}

/** The input line with pills and popup. Draws the draft; what a draft becomes is decided in draft.ts. */
export class Composer {
  readonly element: HTMLElement;
  readonly #input: HTMLInputElement;
  readonly #pills = h("span", { class: "pills" });
  readonly #label = h("span", { class: "active-label" });
  readonly #popup: Popup;
  readonly #actions: ComposerActions;
  #draft: Draft = EMPTY;
  #commands: readonly FlatCommand[] = [];
  #here: Here | null = null;
  #offered: OfferedChoices = [];
  #note = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts the questions for choices, so that a late answer to an old one is dropped. */
  #asked = 0;

  constructor(application: string, actions: ComposerActions) {
    this.#actions = actions;
    this.#popup = new Popup(application, (suggestion) => this.#take(suggestion));
    this.#input = h("input", {
      class: "composer-input",
      "data-testid": "composer-input",
      type: "text",
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-controls": "completion",
      autocomplete: "off",
      spellcheck: "false",
      maxlength: 6000,
    });
    const line = h("div", { class: "composer-line" }, this.#pills, h("span", { class: "active" }, this.#label, this.#input));
    this.element = h("div", { class: "composer" }, this.#popup.element, line);
    this.#input.addEventListener("input", () => this.#set(withText(this.#draft, this.#input.value, this.#commands)));
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("blur", () => this.#drawPopup());
    this.#input.addEventListener("focus", () => this.#drawPopup());
    line.addEventListener("click", () => this.#input.focus());
  }

  /** Another place, member or set of commands. What was typed is dropped when the place changed. */
  update(here: Here, commands: readonly FlatCommand[]): void {
    const moved = this.#here?.channel.id !== here.channel.id || this.#here.member.id !== here.member.id;
    this.#here = here;
    this.#commands = commands;
    if (moved) this.#set(EMPTY);
    else this.#draw();
  }

  focus(): void {
    this.#input.focus();
  }

  #set(draft: Draft): void {
    this.#draft = draft;
    this.#ask();
    this.#draw();
  }

  #draw(): void {
    const draft = this.#draft;
    const option = activeOption(draft);
    this.#pills.replaceChildren(...(draft.kind === "command" ? this.#pillElements(draft) : []));
    this.#label.textContent = option === undefined ? "" : option.name;
    this.element.classList.toggle("asking", option !== undefined);
    this.element.classList.toggle("wrong", draft.kind === "command" && draft.problem !== null);
    if (this.#input.value !== draft.text) this.#input.value = draft.text;
    const channel = this.#here?.channel.name ?? "";
    this.#input.placeholder = draft.kind === "text" ? `Message #${channel}` : option === undefined ? "Press Enter to send" : "";
    this.#input.setAttribute("aria-label", option === undefined ? `Message #${channel}` : `${option.name}: ${option.description}`);
    this.#drawPopup();
  }

  #drawPopup(): void {
    const suggestions = suggestionsFor(this.#draft, this.#commands, this.#offered);
    const focused = document.activeElement === this.#input;
    const problem = this.#draft.kind === "command" ? this.#draft.problem : null;
    if (focused) this.#popup.show(suggestions, this.#note, problem);
    else this.#popup.show({ heading: "", items: [], preselect: false }, "", null);
    this.#describePopup();
  }

  #describePopup(): void {
    this.#input.setAttribute("aria-expanded", String(!this.#popup.element.hidden));
    this.#input.setAttribute("aria-activedescendant", this.#popup.markedId);
  }

  #pillElements(draft: CommandDraft): HTMLElement[] {
    const values = [...draft.values].map(([name, { label }]) => {
      const pill = h(
        "button",
        { type: "button", class: "pill", "data-testid": "option-pill", "data-option": name, title: "Change", tabindex: -1 },
        h("span", { class: "pill-name" }, name),
        h("span", { class: "pill-value" }, label),
      );
      pill.addEventListener("click", () => this.#set(reopen(draft, name)));
      return pill;
    });
    return [h("span", { class: "command-pill", "data-testid": "command-pill" }, `/${draft.command.path}`), ...values];
  }

  #key(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const handled = this.#handle(event.key, event.shiftKey);
    if (handled) event.preventDefault();
  }

  #handle(key: string, shift: boolean): boolean {
    const draft = this.#draft;
    const open = !this.#popup.element.hidden;
    if ((key === "ArrowDown" || key === "ArrowUp") && open) {
      this.#popup.move(key === "ArrowDown" ? 1 : -1);
      this.#describePopup();
      return true;
    }
    if (key === "Escape") {
      this.#set(EMPTY);
      return true;
    }
    if (key === "Backspace" && draft.kind === "command" && this.#input.value === "") {
      this.#set(stepBack(draft));
      return true;
    }
    if (key === "Enter") {
      this.#enter();
      return true;
    }
    if (key === "Tab" && !shift) return this.#tab();
    return false;
  }

  #tab(): boolean {
    const draft = this.#draft;
    const suggestion = this.#popup.marked ?? this.#popup.first;
    if (suggestion !== undefined) this.#take(suggestion);
    else if (draft.kind === "command" && draft.active !== null) this.#set(commit(draft));
    else return false;
    return true;
  }

  #enter(): void {
    const draft = this.#draft;
    const { marked } = this.#popup;
    if (marked !== undefined) {
      this.#take(marked);
      return;
    }
    if (draft.kind === "text") {
      if (draft.text.startsWith("/")) toast("There is no such command here.");
      else if (draft.text.trim() !== "") toast("This sandbox takes slash commands only. Type / to see them.");
      return;
    }
    // Nothing was typed, and the choices are still on their way.
    if (this.#offered === null && draft.text.trim() === "") return;
    const next = commit(draft);
    const ready = isReady(next);
    this.#set(ready ? EMPTY : next);
    if (ready) this.#actions.send(next.command.path, valuesOf(next));
  }

  #take(suggestion: Suggestion): void {
    this.#set(suggestion.next);
    this.#input.focus();
  }

  /** Gets the choices for the active option, unless they are fixed. */
  #ask(): void {
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.#note = "";
    this.#offered = [];
    const draft = this.#draft;
    const option = activeOption(draft);
    if (draft.kind !== "command" || option === undefined || fixedChoices(option).length > 0) return;
    const local = this.#localChoices(option, draft.text);
    if (local !== null) {
      this.#offered = local;
      return;
    }
    if (!option.autocomplete) return;
    this.#offered = null;
    this.#note = "Loading options…";
    const question = this.#asked;
    this.#timer = setTimeout(() => void this.#complete(draft, option, question), draft.text === "" ? 0 : AUTOCOMPLETE_PAUSE_MS);
  }

  async #complete(draft: CommandDraft, option: CommandOption, question: number): Promise<void> {
    let note = "";
    let choices: Chosen[] = [];
    try {
      choices = await this.#actions.complete(draft.command.path, { ...valuesOf(draft), [option.name]: draft.text }, option.name);
      if (choices.length === 0) note = "No options match your search.";
    } catch (error) {
      note = error instanceof Error ? error.message : String(error);
    }
    if (question !== this.#asked) return;
    this.#offered = choices;
    this.#note = note;
    this.#drawPopup();
  }

  /** Members and channels, which Discord's client knows by itself. Null for options of other types. */
  #localChoices(option: CommandOption, typed: string): Chosen[] | null {
    const guild = this.#here?.guild;
    if (guild === undefined) return null;
    const wanted = typed.trim().replace(/^[@#]/u, "").toLowerCase();
    const offer = (all: readonly { id: string; name: string }[], mark: string) =>
      all.filter((one) => one.name.toLowerCase().includes(wanted)).map((one) => ({ value: one.id, label: `${mark}${one.name}` }));
    if (option.type === Type.User || option.type === Type.Mentionable) return offer(guild.members, "@");
    return option.type === Type.Channel ? offer(guild.channels, "#") : null;
  }
}
