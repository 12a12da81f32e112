import { h, ICONS, icon } from "./dom.ts";
import type { SelectOption } from "./types.ts";

export interface SelectMenu {
  customId: string;
  options: readonly SelectOption[];
  placeholder: string;
  /** How many values must and may be chosen. */
  least: number;
  most: number;
  disabled: boolean;
  /** The choice is final; the menu takes no other until this resolves. */
  chosen(values: string[]): Promise<void>;
}

/** A menu as Discord has it: one value is sent at once, several when the menu closes. */
export function selectMenu(menu: SelectMenu): HTMLElement {
  const values = new Set(menu.options.filter((option) => option.default === true).map((option) => option.value));
  let sent = [...values].join("\n");
  const caption = h("span", { class: "select-caption" });
  const button = h(
    "button",
    { type: "button", class: "select-button", "aria-haspopup": "listbox", "aria-expanded": "false", disabled: menu.disabled },
    caption,
    icon(ICONS.down, 20),
  );
  const list = h("div", {
    class: "select-list",
    role: "listbox",
    hidden: true,
    "aria-multiselectable": menu.most > 1 ? "true" : undefined,
  });
  const root = h("div", { class: "select", "data-testid": "component-select", "data-custom-id": menu.customId }, button, list);

  const show = () => {
    const labels = menu.options.filter((option) => values.has(option.value)).map((option) => option.label);
    caption.textContent = labels.length === 0 ? menu.placeholder : labels.join(", ");
    caption.classList.toggle("select-empty", labels.length === 0);
    for (const item of list.children) item.setAttribute("aria-selected", String(values.has((item as HTMLElement).dataset.value ?? "")));
  };
  const close = (focus: boolean) => {
    if (list.hidden) return;
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (focus) button.focus();
    if (menu.most > 1) void send();
  };
  const send = async () => {
    const now = [...values].join("\n");
    if (now === sent || values.size < menu.least || values.size > menu.most) return;
    sent = now;
    button.disabled = true;
    try {
      await menu.chosen([...values]);
    } finally {
      button.disabled = menu.disabled;
    }
  };
  const choose = (value: string) => {
    if (menu.most === 1) {
      values.clear();
      values.add(value);
      // The same value may be chosen again.
      sent = "";
      show();
      close(true);
      void send();
      return;
    }
    if (!values.delete(value) && values.size < menu.most) values.add(value);
    show();
  };

  list.append(...menu.options.map((option) => optionElement(option, choose)));
  button.addEventListener("click", () => {
    if (!list.hidden) return close(true);
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    (list.firstElementChild as HTMLElement | null)?.focus();
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(true);
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const items = [...list.children] as HTMLElement[];
    const at = items.indexOf(document.activeElement as HTMLElement);
    items[(at + (event.key === "ArrowDown" ? 1 : items.length - 1)) % items.length]?.focus();
  });
  root.addEventListener("focusout", (event) => {
    if (!(event.relatedTarget instanceof Node) || !root.contains(event.relatedTarget)) close(false);
  });
  show();
  return root;
}

function optionElement(option: SelectOption, choose: (value: string) => void): HTMLElement {
  const item = h(
    "div",
    { class: "select-option", role: "option", tabindex: -1, "data-testid": "select-option", "data-value": option.value },
    h("div", { class: "select-label" }, [option.emoji?.name, option.label].filter(Boolean).join(" ")),
    option.description === undefined ? null : h("div", { class: "select-description" }, option.description),
  );
  item.addEventListener("click", () => choose(option.value));
  item.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(option.value);
  });
  return item;
}
