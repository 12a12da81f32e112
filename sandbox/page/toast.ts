import { h, ICONS, icon } from "./dom.ts";

const SHOWN_MS = 6000;
const TOASTS_MAX = 3;

/** Shows a line at the top for some seconds; a click takes it away. */
export function toast(words: string): void {
  const one = h("div", { class: "toast", "data-testid": "toast" }, icon(ICONS.warning, 18), h("span", {}, words));
  one.addEventListener("click", () => one.remove());
  const stack = toastStack();
  stack.append(one);
  while (stack.children.length > TOASTS_MAX) stack.firstElementChild?.remove();
  setTimeout(() => one.remove(), SHOWN_MS);
}

function toastStack(): Element {
  const there = document.querySelector(".toasts");
  if (there !== null) return there;
  const stack = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
  document.body.append(stack);
  return stack;
}
