import { REDACTED, type Secret } from "./secret.ts";

/** So many secrets are remembered, the newest; each reload of a config may bring new ones. */
const SECRETS_KEPT_MAX = 1000;

/** Takes known secrets out of texts. */
export class Redactor {
  #values: string[] = [];

  constructor(secrets: readonly Secret[] = []) {
    this.add(secrets);
  }

  add(secrets: readonly Secret[]): void {
    const known = new Set(this.#values);
    for (const secret of secrets) known.add(secret.reveal());
    known.delete("");
    this.#values = [...known].slice(-SECRETS_KEPT_MAX);
  }

  /** The text without any secret. */
  scrub(text: string): string {
    let scrubbed = text;
    // The longest first: one secret may be a part of another.
    for (const value of this.#values.toSorted((a, b) => b.length - a.length)) scrubbed = scrubbed.replaceAll(value, REDACTED);
    return scrubbed;
  }

  /** A log line in JSON, with its text values scrubbed and all else as it is. */
  scrubLine(line: string): string {
    if (!this.#values.some((value) => line.includes(value) || line.includes(JSON.stringify(value).slice(1, -1)))) return line;
    const scrub = (key: string, value: unknown) => (typeof value === "string" && key !== "time" ? this.scrub(value) : value);
    return `${JSON.stringify(JSON.parse(line), scrub)}\n`;
  }
}
