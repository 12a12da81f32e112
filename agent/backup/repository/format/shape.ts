import { CorruptError } from "./corrupt.ts";
import { type Id, isId } from "./ids.ts";

/**
 * What was parsed of a repository's JSON, asked for members by name and kind. Plain checks instead of a schema: an index has 100,000s of entries.
 * A member that is missing or of another kind is a CorruptError.
 */
export class Shape {
  readonly value: Record<string, unknown>;
  readonly what: string;

  constructor(value: unknown, what: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new CorruptError(what, "a JSON object is missing");
    this.value = value as Record<string, unknown>;
    this.what = what;
  }

  static parse(text: string, what: string): Shape {
    return new Shape(parseJson(text, what), what);
  }

  has(name: string): boolean {
    return this.value[name] !== undefined && this.value[name] !== null;
  }

  string(name: string): string {
    const value = this.value[name];
    return typeof value === "string" ? value : this.fail(name, "a text");
  }

  id(name: string): Id {
    const value = this.value[name];
    return typeof value === "string" && isId(value) ? value : this.fail(name, "an id");
  }

  /** A whole number from 0 to `max`. */
  count(name: string, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.value[name];
    return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max
      ? value
      : this.fail(name, `a whole number up to ${max}`);
  }

  bytes(name: string): Buffer {
    const text = this.string(name);
    return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, "base64") : this.fail(name, "base64");
  }

  boolean(name: string): boolean {
    const value = this.value[name];
    return typeof value === "boolean" ? value : this.fail(name, "true or false");
  }

  /** Empty when the member is missing or null. */
  list(name: string): unknown[] {
    const value = this.value[name] ?? [];
    return Array.isArray(value) ? value : this.fail(name, "a list");
  }

  strings(name: string): string[] {
    const list = this.list(name);
    return list.every((it) => typeof it === "string") ? list : this.fail(name, "a list of texts");
  }

  ids(name: string): Id[] {
    const list = this.strings(name);
    return list.every(isId) ? list : this.fail(name, "a list of ids");
  }

  fail(name: string, wanted: string): never {
    throw new CorruptError(this.what, `its "${name}" is not ${wanted}`);
  }
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CorruptError(what, "it is no JSON", error);
  }
}
