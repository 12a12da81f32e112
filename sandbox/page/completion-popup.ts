import { avatarOf } from "./avatars.ts";
import type { Completion, Subject } from "./completion.ts";
import { activeOption, type ComposerState } from "./composer-state.ts";
import { type Child, h, hexColor, ICONS, icon } from "./dom.ts";
import type { SlashCommand } from "./slash-commands.ts";
import type { Named } from "./types.ts";

export interface PopupView {
  state: ComposerState;
  offers: readonly Completion[];
  /** Index of the chosen line; -1 when none is. */
  highlight: number;
  loading: "no" | "loading" | "failed";
  bot: Named;
}

export interface PopupActions {
  pick(index: number): void;
  hover(index: number): void;
}

/** The list above the composer. */
export class CompletionPopup {
  readonly element: HTMLElement;
  readonly #actions: PopupActions;
  readonly #heading = h("div", { class: "popup-heading" });
  readonly #list = h("div", { id: "completion-list", class: "popup-list", role: "listbox", "aria-label": "Suggestions" });
  #offers: readonly Completion[] = [];

  constructor(actions: PopupActions) {
    this.#actions = actions;
    this.element = h("div", { class: "popup", "data-testid": "completion-popup", hidden: true }, this.#heading, this.#list);
    // The focus stays in the composer while the mouse picks.
    this.element.addEventListener("mousedown", (event) => event.preventDefault());
  }

  show(view: PopupView): void {
    this.#heading.replaceChildren(...headingOf(view));
    const note = noteOf(view);
    this.element.hidden = view.offers.length === 0 && note === null && view.state.mode === "text";
    if (this.#offers !== view.offers || note !== null) {
      this.#list.replaceChildren(...view.offers.map((offer, index) => this.#item(offer, index, view.bot)));
      if (note !== null) this.#list.append(note);
      this.#offers = view.offers;
    }
    for (const [index, item] of [...this.#list.children].entries()) {
      const chosen = index === view.highlight;
      if (item.getAttribute("role") === "option") item.setAttribute("aria-selected", String(chosen));
      if (chosen) item.scrollIntoView({ block: "nearest" });
    }
  }

  #item(offer: Completion, index: number, bot: Named): HTMLElement {
    const item = h(
      "div",
      {
        id: `completion-${index}`,
        class: `popup-item popup-${offer.kind}`,
        role: "option",
        "data-testid": "completion-item",
        "data-value": offer.value,
      },
      ...wordsOf(offer, bot),
    );
    item.addEventListener("click", () => this.#actions.pick(index));
    // Not "mouseenter": a list that opens under a resting pointer must not move the choice.
    item.addEventListener("mousemove", () => {
      if (item.getAttribute("aria-selected") !== "true") this.#actions.hover(index);
    });
    return item;
  }
}

function wordsOf(offer: Completion, bot: Named): Child[] {
  switch (offer.kind) {
    case "command":
      return [
        h("img", { class: "popup-avatar", src: avatarOf("bot", bot.id), alt: "" }),
        h(
          "div",
          { class: "popup-words" },
          h("div", { class: "popup-name" }, `/${offer.value}`, ...optionNames(offer.command)),
          h("div", { class: "popup-description" }, offer.command.description),
        ),
        h("div", { class: "popup-aside" }, bot.name),
      ];
    case "option":
      return [
        h(
          "div",
          { class: "popup-words" },
          h("div", { class: "popup-name" }, offer.option.name),
          h("div", { class: "popup-description" }, offer.option.description),
        ),
      ];
    case "choice":
      return offer.subject === undefined
        ? [h("div", { class: "popup-name" }, offer.choice.name)]
        : subjectWords(offer.subject, offer.choice.name);
  }
}

function subjectWords(subject: Subject, name: string): Child[] {
  const tag = subject.kind === "bot" ? h("span", { class: "app-tag" }, "App") : null;
  const words = h("div", { class: "popup-words popup-name" }, name.replace(/^#/u, ""), tag);
  switch (subject.kind) {
    case "user":
      if (subject.user.color !== undefined) words.style.color = subject.user.color;
      return [face(subject.user.label, subject.user.id), words];
    case "bot":
      return [face("bot", subject.user.id), words];
    case "role": {
      const dot = h("span", { class: "popup-role" });
      if (subject.role.color !== 0) dot.style.setProperty("--role", hexColor(subject.role.color));
      return [dot, words, h("div", { class: "popup-aside" }, subject.role.position === 0 ? "Everybody here" : "Role")];
    }
    case "channel":
      return [h("span", { class: "popup-channel" }, icon(ICONS.hash, 18)), words];
  }
}

function face(kind: string, id: string): HTMLElement {
  return h("img", { class: "popup-face", src: avatarOf(kind, id), alt: "" });
}

function optionNames({ options }: SlashCommand): Child[] {
  return options.map((option) => h("span", { class: "popup-option-name" }, option.required === true ? option.name : `${option.name}?`));
}

function headingOf({ state, offers }: PopupView): Child[] & (string | Node)[] {
  if (state.mode === "text")
    return [h("span", { class: "popup-title" }, state.text === "/" ? "Commands" : `Commands matching ${state.text}`)];
  const option = activeOption(state);
  const problem =
    state.problem === null ? null : h("span", { class: "popup-problem", role: "alert" }, icon(ICONS.warning, 14), state.problem);
  if (option === undefined) {
    const title = offers.length === 0 ? `/${state.command.path}` : "Optional options";
    return [
      h("span", { class: "popup-title" }, title),
      problem ?? h("span", { class: "popup-hint" }, `${state.command.description} · Enter sends`),
    ];
  }
  return [
    h("span", { class: "popup-title popup-title-option" }, option.name),
    problem ?? h("span", { class: "popup-hint" }, option.description),
  ];
}

/** A line in place of choices that are not there. */
function noteOf({ state, offers, loading }: PopupView): HTMLElement | null {
  if (state.mode === "text" || activeOption(state)?.autocomplete !== true) return null;
  if (loading === "loading") return h("div", { class: "popup-note", role: "status" }, "Loading options…");
  if (loading === "failed") return h("div", { class: "popup-note popup-note-bad", role: "status" }, "Loading options failed");
  return offers.length === 0 ? h("div", { class: "popup-note", role: "status" }, "No options match your search.") : null;
}
