import "@skyra/discord-components-core/discord-action-row.js";
import "@skyra/discord-components-core/discord-button.js";
import { type Child, h, hexColor } from "./dom.ts";
import { type MentionContext, renderMarkdown, renderText } from "./markdown-dom.ts";
import { webAddress } from "./markdown-inline.ts";
import { selectMenu } from "./select-menu.ts";
import type { Component } from "./types.ts";

/** Discord's component types, "Component Types" in its reference. */
export const COMPONENT = {
  row: 1,
  button: 2,
  stringSelect: 3,
  textInput: 4,
  userSelect: 5,
  roleSelect: 6,
  mentionableSelect: 7,
  channelSelect: 8,
  section: 9,
  text: 10,
  separator: 14,
  container: 17,
  label: 18,
} as const;

const LINK_STYLE = 5;
const STYLES: Record<number, "primary" | "secondary" | "success" | "destructive"> = {
  1: "primary",
  2: "secondary",
  3: "success",
  4: "destructive",
};

export interface ComponentContext extends MentionContext {
  /** Sends a press or a choice; resolves when it was answered. */
  press(customId: string, values?: string[]): Promise<void>;
  /** Members, roles and channels for the menus that choose among them. */
  people(): { label: string; value: string }[];
  roles(): { label: string; value: string }[];
  channels(): { label: string; value: string }[];
}

/** Buttons, menus and texts below a message. */
export function componentElements(components: readonly Component[], context: ComponentContext): HTMLElement[] {
  return components.map((component) => {
    const element = componentElement(component, context);
    element.slot = "components";
    return element;
  });
}

function componentElement(component: Component, context: ComponentContext): HTMLElement {
  const inner = () => (component.components ?? []).map((one) => componentElement(one, context));
  switch (component.type) {
    case COMPONENT.row:
      return h("discord-action-row", {}, ...inner());
    case COMPONENT.button:
      return buttonElement(component, context);
    case COMPONENT.stringSelect:
      return menuElement(component, component.options ?? [], context);
    case COMPONENT.userSelect:
      return menuElement(component, context.people(), context);
    case COMPONENT.roleSelect:
      return menuElement(component, context.roles(), context);
    case COMPONENT.mentionableSelect:
      return menuElement(component, [...context.roles(), ...context.people()], context);
    case COMPONENT.channelSelect:
      return menuElement(component, context.channels(), context);
    case COMPONENT.text:
      return h("div", { class: "v2-text" }, ...renderMarkdown(component.content ?? "", context));
    case COMPONENT.separator:
      return h("hr", { class: component.divider === false ? "v2-gap" : "v2-separator" });
    case COMPONENT.section: {
      const { accessory } = component;
      const beside = accessory === undefined ? null : h("discord-action-row", {}, componentElement(accessory, context));
      return h("div", { class: "v2-section" }, h("div", {}, ...inner()), beside);
    }
    case COMPONENT.container: {
      const container = h("div", { class: "v2-container" }, ...inner());
      const { accent_color: accent } = component;
      if (typeof accent === "number") container.style.setProperty("--accent", hexColor(accent));
      return container;
    }
    default:
      return h("div", { class: "v2-unknown" }, `A component of type ${component.type}, which this page does not show.`);
  }
}

function buttonElement({ style = 2, label, emoji, url, disabled, custom_id: customId }: Component, context: ComponentContext): HTMLElement {
  const href = style === LINK_STYLE && url !== undefined ? webAddress(url) : null;
  const words: Child[] = [emoji?.name, label]
    .filter((part) => typeof part === "string")
    .flatMap((part, index) => [index > 0 ? " " : null, ...renderText(part)]);
  const button = h(
    "discord-button",
    {
      "data-testid": "component-button",
      "data-custom-id": customId,
      type: STYLES[style] ?? "secondary",
      url: href,
      disabled: disabled === true,
      "aria-disabled": disabled === true ? "true" : undefined,
    },
    ...words,
  );
  if (href === null && disabled !== true && customId !== undefined) {
    button.addEventListener("click", () => void pressButton(button, () => context.press(customId)));
  }
  return button;
}

/** While a press is being answered, the whole message takes no other. */
async function pressButton(button: HTMLElement, press: () => Promise<void>): Promise<void> {
  const message = button.closest("discord-message");
  if (message === null || message.hasAttribute("data-pressing")) return;
  message.setAttribute("data-pressing", "");
  button.setAttribute("data-pending", "");
  button.setAttribute("aria-busy", "true");
  try {
    await press();
  } finally {
    message.removeAttribute("data-pressing");
    button.removeAttribute("data-pending");
    button.removeAttribute("aria-busy");
  }
}

function menuElement(component: Component, options: readonly { label: string; value: string }[], context: ComponentContext): HTMLElement {
  const { custom_id: customId = "" } = component;
  return selectMenu({
    customId,
    options,
    placeholder: component.placeholder ?? "Make a selection",
    least: component.min_values ?? 1,
    most: component.max_values ?? 1,
    disabled: component.disabled === true,
    chosen: (values) => context.press(customId, values),
  });
}
