import { inspect } from "node:util";

export const REDACTED = "«redacted»";

/**
 * A value that must not be shown. It prints, serializes and inspects as «redacted», always the same: neither its length nor its
 * beginning can be seen. Only `reveal` gives it.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
