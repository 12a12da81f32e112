import { avatarOf } from "./avatars.ts";
import { COMPONENT } from "./component-view.ts";
import { type Child, h, ICONS, icon } from "./dom.ts";
import { fieldProblem, type ModalField, modalFields } from "./modal-fields.ts";
import type { Modal, Named } from "./types.ts";

export interface ModalActions {
  bot: Named;
  /** Sends the form. Resolves with null when it was taken, else with what to show. */
  submit(fields: Record<string, string>): Promise<string | null>;
}

/** Opens a form of the application as a dialog. Resolves when it is closed. */
export function openModal(modal: Modal, { bot, submit }: ModalActions): Promise<void> {
  const fields = modalFields(modal.components);
  const inputs = fields.map((field) => new FieldView(field));
  const problem = h("div", { class: "modal-problem", role: "alert", hidden: true });
  const send = h("button", { type: "submit", class: "modal-submit", "data-testid": "modal-submit" }, "Submit");
  const cancel = h("button", { type: "button", class: "modal-cancel", "data-testid": "modal-cancel" }, "Cancel");
  const close = h("button", { type: "button", class: "modal-close", "aria-label": "Close" }, icon(ICONS.close, 20));
  const form = h(
    "form",
    { novalidate: true },
    h(
      "header",
      { class: "modal-header" },
      h("img", { src: avatarOf("bot", bot.id), alt: "" }),
      h("h2", { id: "modal-title" }, modal.title),
      close,
    ),
    h(
      "div",
      { class: "modal-body" },
      h(
        "div",
        { class: "modal-warning" },
        icon(ICONS.warning, 18),
        h(
          "span",
          {},
          "This form will be submitted to ",
          h("strong", {}, bot.name),
          ". Do not share passwords or other sensitive information.",
        ),
      ),
      ...textsOf(modal),
      ...inputs.map((input) => input.element),
      problem,
    ),
    h("footer", { class: "modal-footer" }, cancel, send),
  );
  const dialog = h(
    "div",
    {
      class: "modal",
      role: "dialog",
      "aria-modal": "true",
      "data-testid": "modal",
      "data-custom-id": modal.custom_id,
      "aria-labelledby": "modal-title",
    },
    form,
  );
  const opened = cover(dialog);
  cancel.addEventListener("click", opened.close);
  close.addEventListener("click", opened.close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wrong = inputs.filter((input) => !input.check());
    if (wrong.length > 0) {
      wrong[0]?.focus();
      return;
    }
    send.disabled = true;
    problem.hidden = true;
    const refuse = (words: string) => {
      problem.textContent = words;
      problem.hidden = false;
      send.disabled = false;
    };
    submit(Object.fromEntries(inputs.map((input) => [input.field.id, input.value])))
      .then((refused) => (refused === null ? opened.close() : refuse(refused)))
      .catch((error: unknown) => refuse(error instanceof Error ? error.message : String(error)));
  });
  inputs[0]?.focus();
  return opened.closed;
}

/**
 * Lays an element over the page, which cannot be used until it is closed. Not `showModal`: after a click that closes such a dialog,
 * headless Chromium gives the keyboard to nothing.
 */
function cover(element: HTMLElement): { close: () => void; closed: Promise<void> } {
  const backdrop = h("div", { class: "modal-backdrop" }, element);
  const behind = [...document.body.children].filter((one): one is HTMLElement => one instanceof HTMLElement);
  const { promise, resolve } = Promise.withResolvers<void>();
  const close = () => {
    backdrop.remove();
    for (const one of behind) one.inert = false;
    resolve();
  };
  backdrop.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  backdrop.addEventListener("mousedown", (event) => {
    if (event.target === backdrop) close();
  });
  for (const one of behind) one.inert = true;
  document.body.append(backdrop);
  return { close, closed: promise };
}

function textsOf({ components }: Modal): Child[] {
  return components.filter((one) => one.type === COMPONENT.text).map((one) => h("p", { class: "modal-text" }, one.content ?? ""));
}

/** One field: a label, an input, and what is wrong with it. */
class FieldView {
  readonly element: HTMLElement;
  readonly field: ModalField;
  readonly #input: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;
  readonly #problem: HTMLElement;

  constructor(field: ModalField) {
    this.field = field;
    const id = `field-${field.id}`;
    const common = {
      id,
      name: field.id,
      "data-custom-id": field.id,
      placeholder: field.placeholder,
      "aria-required": field.required ? "true" : undefined,
      "aria-describedby": `${id}-problem`,
    };
    this.#input = inputFor(field, common);
    this.#problem = h("div", { id: `${id}-problem`, class: "field-problem", role: "alert" });
    this.element = h(
      "div",
      { class: "field" },
      h("label", { for: id }, field.label, field.required ? h("span", { class: "field-required", "aria-hidden": "true" }, " *") : null),
      field.description === undefined ? null : h("div", { class: "field-description" }, field.description),
      this.#input,
      this.#problem,
    );
    this.#input.addEventListener("input", () => {
      if (this.#problem.textContent !== "") this.check();
    });
  }

  get value(): string {
    return this.#input.value;
  }

  focus(): void {
    this.#input.focus();
  }

  check(): boolean {
    const problem = fieldProblem(this.field, this.value);
    this.#problem.textContent = problem ?? "";
    this.#input.setAttribute("aria-invalid", String(problem !== null));
    return problem === null;
  }
}

function inputFor(
  field: ModalField,
  common: Record<string, string | undefined>,
): HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement {
  if (field.options !== undefined) {
    const options = field.options.map((option) => h("option", { value: option.value, selected: option.default === true }, option.label));
    return h("select", common, h("option", { value: "" }, field.placeholder ?? "Make a selection"), ...options);
  }
  if (field.paragraph) {
    const area = h("textarea", { ...common, rows: 4, maxlength: field.most });
    area.value = field.value;
    return area;
  }
  const input = h("input", { ...common, type: "text", autocomplete: "off", maxlength: field.most });
  input.value = field.value;
  return input;
}
