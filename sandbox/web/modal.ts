import type { APIModalInteractionResponseCallbackData, APITextInputComponent } from "discord-api-types/v10";
import { ComponentType, TextInputStyle } from "discord-api-types/v10";
import { h } from "./dom.ts";

/** A text input of a form with the words beside it. */
export interface FormField {
  input: APITextInputComponent;
  label: string;
  description: string;
}

// Source: Discord's reference, "Text Input": `max_length` is at most 4000.
const LENGTH_MAX = 4000;

/** The inputs of a form, in rows or in labels. */
export function formFields(modal: APIModalInteractionResponseCallbackData): FormField[] {
  return modal.components.flatMap((top): FormField[] => {
    if (top.type === ComponentType.ActionRow) {
      return top.components.flatMap((input) =>
        input.type === ComponentType.TextInput ? [{ input, label: input.label ?? input.custom_id, description: "" }] : [],
      );
    }
    if (top.type === ComponentType.Label && top.component.type === ComponentType.TextInput) {
      return [{ input: top.component, label: top.label, description: top.description ?? "" }];
    }
    return [];
  });
}

/** What is wrong with a text for an input, or null. */
export function fieldProblem(input: APITextInputComponent, text: string): string | null {
  if (text === "") return input.required === false ? null : "This is required.";
  const [least, most] = [input.min_length ?? 0, input.max_length ?? LENGTH_MAX];
  if (text.length < least) return `Must be ${least} or more in length.`;
  return text.length > most ? `Must be ${most} or fewer in length.` : null;
}

/** Opens a form as a dialog. `submit` resolves with what went wrong, or null, upon which the dialog closes. */
export function openModal(
  modal: APIModalInteractionResponseCallbackData,
  application: string,
  submit: (fields: Record<string, string>) => Promise<string | null>,
): void {
  const rows = formFields(modal).map(fieldRow);
  const failure = h("p", { class: "modal-failure", role: "alert" });
  const cancel = h("button", { type: "button", class: "modal-cancel" }, "Cancel");
  const send = h("button", { type: "submit", class: "modal-submit", "data-testid": "modal-submit" }, "Submit");
  const form = h(
    "form",
    { novalidate: "" },
    h(
      "header",
      {},
      h("h2", { id: "modal-title" }, modal.title),
      h("p", { class: "modal-note" }, `This form is submitted to ${application}.`),
    ),
    h("div", { class: "modal-fields" }, ...rows.map((row) => row.element)),
    h("footer", {}, failure, cancel, send),
  );
  const dialog = h("dialog", { class: "modal", "data-testid": "modal", "aria-labelledby": "modal-title" }, form);
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!rows.map((row) => row.check()).every(Boolean)) return;
    send.disabled = true;
    failure.textContent = "";
    void submit(Object.fromEntries(rows.map((row) => [row.id, row.value()]))).then((problem) => {
      send.disabled = false;
      if (problem === null) dialog.close();
      else failure.textContent = problem;
    });
  });
  document.body.append(dialog);
  dialog.showModal();
  rows[0]?.focus();
}

function fieldRow({ input, label, description }: FormField) {
  const attributes = {
    id: `field-${input.custom_id}`,
    "data-testid": "modal-input",
    "data-custom-id": input.custom_id,
    placeholder: input.placeholder,
    maxlength: input.max_length ?? LENGTH_MAX,
    "aria-required": input.required === false ? null : "true",
    autocomplete: "off",
  };
  const control =
    input.style === TextInputStyle.Paragraph ? h("textarea", { ...attributes, rows: 4 }) : h("input", { ...attributes, type: "text" });
  control.value = input.value ?? "";
  const star = input.required === false ? null : h("span", { class: "star", "aria-hidden": "true" }, " *");
  const problem = h("span", { class: "modal-problem", role: "alert" });
  const note = description === "" ? null : h("small", {}, description);
  return {
    id: input.custom_id,
    element: h("div", { class: "modal-field" }, h("label", { for: attributes.id }, label, star), note, control, problem),
    value: () => control.value,
    focus: () => control.focus(),
    check: () => {
      const words = fieldProblem(input, control.value);
      problem.textContent = words ?? "";
      control.setAttribute("aria-invalid", String(words !== null));
      return words === null;
    },
  };
}
