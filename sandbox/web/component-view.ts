import "@skyra/discord-components-core/discord-action-row.js";
import "@skyra/discord-components-core/discord-button.js";
import type { APIButtonComponent, APIMessageTopLevelComponent, APIStringSelectComponent } from "discord-api-types/v10";
import { ButtonStyle, ComponentType } from "discord-api-types/v10";
import { h } from "./dom.ts";
import { markdownNodes, type Names } from "./markdown-view.ts";

/** How the components of one message are used. */
export interface Use {
  press(customId: string, values?: string[]): void;
  /** True until the application has answered; the component is disabled meanwhile. */
  isPending(customId: string): boolean;
}

const LOOKS: Partial<Record<ButtonStyle, "primary" | "secondary" | "success" | "destructive">> = {
  [ButtonStyle.Primary]: "primary",
  [ButtonStyle.Success]: "success",
  [ButtonStyle.Danger]: "destructive",
};

/** Components for the `components` slot of a message. Kinds that the page does not know are named instead of left out. */
export function componentElements(components: readonly APIMessageTopLevelComponent[], names: Names, use: Use): HTMLElement[] {
  return components.map((component) => {
    const element = topElement(component, names, use);
    element.slot = "components";
    return element;
  });
}

function topElement(component: APIMessageTopLevelComponent, names: Names, use: Use): HTMLElement {
  if (component.type === ComponentType.TextDisplay) return h("div", {}, ...markdownNodes(component.content, names));
  if (component.type === ComponentType.Separator) return h("hr");
  if (component.type === ComponentType.Container) {
    return h("div", { class: "container" }, ...component.components.map((inner) => topElement(inner, names, use)));
  }
  if (component.type !== ComponentType.ActionRow) return unknown(component.type);
  const inner = component.components.map((one) => {
    if (one.type === ComponentType.Button) return buttonElement(one, use);
    return one.type === ComponentType.StringSelect ? menuElement(one, use) : unknown(one.type);
  });
  return h("discord-action-row", {}, ...inner);
}

function buttonElement(button: APIButtonComponent, use: Use): HTMLElement {
  const label = "label" in button ? (button.label ?? "") : "";
  const emoji = "emoji" in button ? button.emoji?.name : undefined;
  const words = [emoji, label].filter((one) => one !== undefined && one !== "").join(" ");
  const customId = "custom_id" in button ? button.custom_id : null;
  const pending = customId !== null && use.isPending(customId);
  const attributes = {
    type: LOOKS[button.style] ?? "secondary",
    url: "url" in button ? button.url : null,
    disabled: button.disabled === true || pending ? "" : null,
    "data-testid": "component-button",
    "data-custom-id": customId,
    "data-pending": pending ? "" : null,
  };
  const element = h("discord-button", attributes, words);
  element.addEventListener("click", () => {
    if (customId !== null && element.disabled !== true) use.press(customId);
  });
  return element;
}

function menuElement(menu: APIStringSelectComponent, use: Use): HTMLElement {
  const several = (menu.max_values ?? 1) > 1;
  const placeholder = menu.placeholder ?? "Make a selection";
  const options = menu.options.map(({ label, value, default: chosen }) =>
    h("option", { value, selected: chosen === true ? "" : null }, label),
  );
  const attributes = {
    class: "menu",
    "aria-label": placeholder,
    "data-testid": "component-menu",
    "data-custom-id": menu.custom_id,
    disabled: menu.disabled === true || use.isPending(menu.custom_id) ? "" : null,
    multiple: several ? "" : null,
  };
  const hint = h(
    "option",
    { value: "", disabled: "", hidden: "", selected: menu.options.some((one) => one.default) ? null : "" },
    placeholder,
  );
  const select = h("select", attributes, several ? null : hint, ...options);
  select.addEventListener("change", () => {
    use.press(
      menu.custom_id,
      [...select.selectedOptions].map((option) => option.value),
    );
  });
  return select;
}

function unknown(type: number): HTMLElement {
  return h("em", { class: "unknown-component" }, `(a component of type ${type}, which this page does not draw)`);
}
