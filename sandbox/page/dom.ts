/** Attributes of an element; false, null and undefined leave one out, true sets it empty. */
export type Attributes = Record<string, string | number | boolean | null | undefined>;
export type Child = Node | string | null | undefined | false;

/** Makes an element. Strings become text nodes, never markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.filter(isShown));
  return element;
}

export function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** A colour of Discord's, 0xRRGGBB, as CSS writes it. */
export function hexColor(color: number): string {
  return `#${color.toString(16).padStart(6, "0")}`;
}

/** Replaces the children; the focus stays on the child with the same `data-key`. */
export function replaceKeepingFocus(parent: Element, children: Child[]): void {
  const focused = document.activeElement;
  const key = focused !== null && parent.contains(focused) ? focused.getAttribute("data-key") : null;
  parent.replaceChildren(...children.filter(isShown));
  if (key === null) return;
  const again = [...parent.querySelectorAll<HTMLElement>("[data-key]")].find((one) => one.dataset.key === key);
  again?.focus();
}

const SVG = "http://www.w3.org/2000/svg";

/** A 24 by 24 icon of one filled path. */
export function icon(path: string, size = 24): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  setAttributes(svg, { viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", fill: "currentColor" });
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

export const ICONS = {
  hash: "M10.99 3.16a1 1 0 1 0-1.98-.32L8.36 7H4a1 1 0 0 0 0 2h4.05l-.95 6H3a1 1 0 1 0 0 2h3.78l-.59 3.84a1 1 0 1 0 1.98.32L8.8 17h5.98l-.59 3.84a1 1 0 1 0 1.98.32L16.8 17H20a1 1 0 1 0 0-2h-2.9l.95-6H21a1 1 0 1 0 0-2h-2.64l.63-3.84a1 1 0 1 0-1.98-.32L16.36 7h-6zM14.1 15H9.1l.95-6h5z",
  down: "M5.3 8.3a1 1 0 0 1 1.4 0l5.3 5.29 5.3-5.3a1 1 0 1 1 1.4 1.42l-6 6a1 1 0 0 1-1.4 0l-6-6a1 1 0 0 1 0-1.42z",
  people:
    "M8 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm8.5.5a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5zM1 19.2C1 15.8 4.1 13 8 13s7 2.8 7 6.2c0 .5-.4.8-.8.8H1.8a.8.8 0 0 1-.8-.8zM16.9 20h5.3c.4 0 .8-.3.8-.8 0-3-2.9-5.7-6.5-5.7-.8 0-1.6.1-2.3.4a7.6 7.6 0 0 1 2.7 6.1z",
  slash: "M16.9 3.1a1 1 0 0 1 .5 1.3l-8 16a1 1 0 1 1-1.8-.8l8-16a1 1 0 0 1 1.3-.5z",
  warning: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm-1 5a1 1 0 1 1 2 0v6a1 1 0 1 1-2 0V7zm1 11.2a1.2 1.2 0 1 1 0-2.4 1.2 1.2 0 0 1 0 2.4z",
  close:
    "M18.3 5.7a1 1 0 0 0-1.4 0L12 10.6 7.1 5.7a1 1 0 1 0-1.4 1.4l4.9 4.9-4.9 4.9a1 1 0 1 0 1.4 1.4l4.9-4.9 4.9 4.9a1 1 0 0 0 1.4-1.4L13.4 12l4.9-4.9a1 1 0 0 0 0-1.4z",
  check: "M21.7 5.3a1 1 0 0 1 0 1.4l-12 12a1 1 0 0 1-1.4 0l-6-6a1 1 0 1 1 1.4-1.4L9 16.6 20.3 5.3a1 1 0 0 1 1.4 0z",
} as const;

function isShown(child: Child): child is Node | string {
  return child !== null && child !== undefined && child !== false;
}
