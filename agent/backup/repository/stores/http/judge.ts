import type { HttpAnswer } from "./attempt.ts";

/** Wait before the first retry, doubled for each one after it up to the second number, half of it random. In milliseconds. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** A longer `Retry-After` is not believed, in milliseconds. */
const RETRY_AFTER_MAX_MS = 5 * 60_000;
/** What a server says is quoted up to so many characters. */
const TOLD_MAX = 300;

/** Answers that may be another one a little later: timed out, too early, too many requests. 5xx is judged below. */
const PASSING = new Set([408, 425, 429]);
/** 5xx that stay as they are: not implemented, insufficient storage. */
const LASTING = new Set([501, 507]);

/** Whether the same request may be answered otherwise a little later. */
export function isPassing(status: number): boolean {
  return PASSING.has(status) || (status >= 500 && !LASTING.has(status));
}

/** Wait before retry number `retry` (from 1), in milliseconds: exponential, bounded, half of it random. */
export function backoffMs(retry: number, random: number): number {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (retry - 1));
  return full / 2 + (full / 2) * random;
}

/** What `Retry-After` asks for (seconds or a date, RFC 9110 section 10.2.3), in milliseconds; 0 when it says nothing useful. */
export function retryAfterMs(header: string | null, now: number): number {
  if (header === null) return 0;
  const asked = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(asked) ? Math.min(RETRY_AFTER_MAX_MS, Math.max(0, asked)) : 0;
}

/** What a server says of a request that it did not like, in one short line of plain characters. */
export function toldBy({ status, headers, body }: HttpAnswer): string {
  const text = body.subarray(0, 4 * TOLD_MAX).toString("utf8");
  const words = messageIn(text) ?? (headers.get("content-type")?.includes("html") === true ? "" : text);
  const plain = words
    .replace(/\p{C}+/gu, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, TOLD_MAX);
  return plain === "" ? `HTTP ${status}` : `HTTP ${status}: ${plain}`;
}

/** Where services put their words: our Worker; Dropbox. */
const MESSAGES = ["message", "error_summary"];

/** What a service says in its own field for it, or in the `<Message>` of S3. */
function messageIn(text: string): string | undefined {
  const xml = /<Message>([^<]*)<\/Message>/.exec(text)?.[1];
  if (xml !== undefined) return xml;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    return MESSAGES.map((name) => (value as Record<string, unknown>)[name]).find((words) => typeof words === "string");
  } catch {
    // Not JSON: the text itself is the message.
  }
  return undefined;
}
