import { h } from "./dom.ts";

const SHOWN_MS = 6000;
const TOASTS_MAX = 4;

let region: HTMLElement | undefined;

/** Shows a short notice in the corner for a while. */
export function toast(message: string): void {
  region ??= document.body.appendChild(h("div", { class: "toasts", role: "status", "aria-live": "polite" }));
  const note = h("div", { class: "toast", "data-testid": "toast" }, message);
  region.append(note);
  while (region.childElementCount > TOASTS_MAX) region.firstElementChild?.remove();
  setTimeout(() => note.remove(), SHOWN_MS);
}
