type Child = Node | string | null | undefined;

/** Makes an element with attributes and children. Strings become text nodes; attributes that are null or undefined are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number | null | undefined> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Runs something that takes time from a place that cannot wait, and shows what went wrong. */
export function background(work: Promise<unknown>, failed: (message: string) => void): void {
  work.catch((error: unknown) => failed(error instanceof Error ? error.message : String(error)));
}
