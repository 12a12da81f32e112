import { ComponentType } from "discord-api-types/v10";
import { type Form, isRecord, type Path, records, text } from "./form.ts";

// Source of the limits: Discord's reference, "Component Reference".
export const ROWS_MAX = 5;
export const BUTTONS_PER_ROW_MAX = 5;
export const COMPONENTS_V2_MAX = 40;
export const TEXT_DISPLAY_CHARACTERS_MAX = 4000;

const LINK = 5;
const PREMIUM = 6;

/** Checks what the specification's schemas cannot: how components fit together in one message. */
export function checkComponents(form: Form, components: unknown, at: Path, v2: boolean): void {
  const top = records(components);
  if (v2) {
    const all = walk(top);
    form.expect(all.length <= COMPONENTS_V2_MAX, at, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", `At most ${COMPONENTS_V2_MAX} components.`);
    const words = all.reduce((sum, one) => sum + (one.type === ComponentType.TextDisplay ? text(one.content).length : 0), 0);
    const message = `At most ${TEXT_DISPLAY_CHARACTERS_MAX} characters of text in a message.`;
    form.expect(words <= TEXT_DISPLAY_CHARACTERS_MAX, at, "COMPONENT_TEXT_DISPLAY_TOO_LONG", message);
  } else {
    form.expect(top.length <= ROWS_MAX, at, "BASE_TYPE_MAX_LENGTH", `Must be ${ROWS_MAX} or fewer in length.`);
    for (const [index, row] of top.entries()) {
      const good = row.type === ComponentType.ActionRow;
      form.expect(good, [...at, index, "type"], "UNION_TYPE_CHOICES", "Only action rows may be used without IS_COMPONENTS_V2.");
    }
  }
  const ids = new Set<string>();
  check(form, top, at, ids);
}

function check(form: Form, components: Record<string, unknown>[], at: Path, ids: Set<string>): void {
  for (const [index, component] of components.entries()) {
    const here = [...at, index];
    checkOne(form, component, here);
    const id = component.custom_id;
    if (typeof id === "string") {
      form.expect(!ids.has(id), [...here, "custom_id"], "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated");
      ids.add(id);
    }
    check(form, records(component.components), [...here, "components"], ids);
    if (isRecord(component.accessory)) check(form, [component.accessory], [...here, "accessory"], ids);
  }
}

function checkOne(form: Form, component: Record<string, unknown>, at: Path): void {
  if (component.type === ComponentType.ActionRow) checkRow(form, records(component.components), at);
  if (component.type === ComponentType.Button) checkButton(form, component, at);
  if (component.type === ComponentType.StringSelect) checkMenu(form, component, at);
}

function checkRow(form: Form, inner: Record<string, unknown>[], at: Path): void {
  const buttons = inner.filter((one) => one.type === ComponentType.Button).length;
  const fits = buttons <= BUTTONS_PER_ROW_MAX && (buttons === inner.length || inner.length === 1);
  const message = `A row holds up to ${BUTTONS_PER_ROW_MAX} buttons, or one menu.`;
  form.expect(fits, [...at, "components"], "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message);
}

function checkButton(form: Form, button: Record<string, unknown>, at: Path): void {
  const custom = typeof button.custom_id === "string";
  const link = typeof button.url === "string";
  if (button.style === LINK) {
    form.expect(link && !custom, at, "BUTTON_COMPONENT_INVALID_URL", "A link button has a url and no custom_id.");
  } else if (button.style !== PREMIUM) {
    form.expect(custom && !link, at, "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", "A button has a custom_id and no url.");
  }
  const shown = text(button.label) !== "" || isRecord(button.emoji) || button.style === PREMIUM;
  form.expect(shown, at, "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", "A button has a label or an emoji.");
}

function checkMenu(form: Form, menu: Record<string, unknown>, at: Path): void {
  const options = records(menu.options);
  const values = new Set(options.map((option) => option.value));
  form.expect(
    values.size === options.length,
    [...at, "options"],
    "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
    "Option values must be unique",
  );
  const most = typeof menu.max_values === "number" ? menu.max_values : 1;
  form.expect(most <= options.length, [...at, "max_values"], "SELECT_COMPONENT_MAX_VALUES_TOO_LARGE", "max_values is above the options");
}

/** All components of a tree, rows and containers included, in order. */
export function walk(components: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  return components.flatMap((one) => {
    const accessory = isRecord(one.accessory) ? [one.accessory] : [];
    const labelled = isRecord(one.component) ? [one.component] : [];
    return [one, ...walk([...records(one.components), ...accessory, ...labelled])];
  });
}
