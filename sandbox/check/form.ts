import type { FormError, FormErrors } from "../types.ts";

export type Path = readonly (string | number)[];

/** Collects what is wrong with a body, by place, in the shape in which Discord tells it. */
export class Form {
  readonly #found: { path: Path; error: FormError }[] = [];

  /** A place is told the same thing once, although two checks may find it. */
  add(path: Path, code: string, message: string): void {
    const key = path.join(".");
    if (this.#found.some((one) => one.error.code === code && one.path.join(".") === key)) return;
    this.#found.push({ path, error: { code, message } });
  }

  /** Adds an error unless the condition holds. */
  expect(condition: boolean, path: Path, code: string, message: string): void {
    if (!condition) this.add(path, code, message);
  }

  get ok(): boolean {
    return this.#found.length === 0;
  }

  /** Discord's nested `errors` object; undefined when all is well. */
  errors(): FormErrors | undefined {
    if (this.ok) return undefined;
    const root: FormErrors = {};
    for (const { path, error } of this.#found) {
      let node = root;
      for (const key of path) node = child(node, String(key));
      const list = node._errors;
      if (Array.isArray(list)) list.push(error);
      else node._errors = [error];
    }
    return root;
  }

  /** One line for people: `embeds.0.title: Must be 256 or fewer in length.` */
  summary(): string {
    return this.#found.map(({ path, error }) => `${path.length === 0 ? "body" : path.join(".")}: ${error.message}`).join(" ");
  }
}

function child(node: FormErrors, key: string): FormErrors {
  const existing = node[key];
  if (existing !== undefined && !Array.isArray(existing)) return existing;
  const made: FormErrors = {};
  node[key] = made;
  return made;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
