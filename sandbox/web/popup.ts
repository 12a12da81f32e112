import { APPLICATION_AVATAR } from "./avatars.ts";
import { h } from "./dom.ts";
import type { Suggestion, Suggestions } from "./suggestions.ts";

/** The list over the composer. It only shows lines; the composer decides what they are. */
export class Popup {
  readonly element: HTMLElement;
  readonly #application: string;
  readonly #chosen: (suggestion: Suggestion) => void;
  #items: readonly Suggestion[] = [];
  #marked = -1;

  constructor(application: string, chosen: (suggestion: Suggestion) => void) {
    this.#application = application;
    this.#chosen = chosen;
    this.element = h("div", { class: "popup", id: "completion", role: "listbox", "aria-label": "Suggestions", hidden: "" });
    // The input keeps the focus.
    this.element.addEventListener("mousedown", (event) => event.preventDefault());
  }

  get marked(): Suggestion | undefined {
    return this.#items[this.#marked];
  }

  get first(): Suggestion | undefined {
    return this.#items[0];
  }

  /** Id of the marked line for `aria-activedescendant`. */
  get markedId(): string {
    return this.#marked < 0 ? "" : `completion-${this.#marked}`;
  }

  show({ heading, items, preselect }: Suggestions, note: string, problem: string | null): void {
    this.#items = items;
    this.#marked = preselect && items.length > 0 ? 0 : -1;
    this.element.hidden = items.length === 0 && heading === "" && note === "" && problem === null;
    const lines = items.map((item, index) => this.#line(item, index));
    this.element.replaceChildren(
      h("div", { class: "popup-heading" }, heading),
      ...(problem === null ? [] : [h("div", { class: "popup-problem", role: "alert" }, problem)]),
      ...(note === "" ? [] : [h("div", { class: "popup-note" }, note)]),
      ...lines,
    );
    this.#mark(this.#marked);
  }

  /** Moves the mark up or down, around the ends. */
  move(by: 1 | -1): void {
    const count = this.#items.length;
    if (count === 0) return;
    const from = this.#marked < 0 && by < 0 ? 0 : this.#marked;
    this.#mark((from + by + count) % count);
  }

  #mark(index: number): void {
    this.#marked = index;
    for (const [at, line] of [...this.element.querySelectorAll(".popup-item")].entries()) {
      line.setAttribute("aria-selected", String(at === index));
      if (at === index) line.scrollIntoView({ block: "nearest" });
    }
  }

  #line(item: Suggestion, index: number): HTMLElement {
    const command = item.kind === "command";
    const attributes = {
      class: "popup-item",
      id: `completion-${index}`,
      role: "option",
      "data-testid": "completion-item",
      "data-value": item.value,
    };
    const options = item.options.map(({ name, required }) => h("span", { class: required ? "hint" : "hint hint-optional" }, name));
    const line = h(
      "div",
      attributes,
      command ? h("img", { src: APPLICATION_AVATAR, alt: "" }) : null,
      h(
        "span",
        { class: "popup-words" },
        h("span", { class: "popup-title" }, item.title, ...options),
        item.detail === "" ? null : h("span", { class: "popup-detail" }, item.detail),
      ),
      command ? h("span", { class: "popup-source" }, this.#application) : null,
    );
    line.addEventListener("mousemove", () => {
      if (this.#marked !== index) this.#mark(index);
    });
    line.addEventListener("click", () => this.#chosen(item));
    return line;
  }
}
