import { AgentError } from "../../../../errors.ts";
import { resolveRange, tooShort } from "../ranges.ts";
import type { ByteRange } from "../store.ts";
import type { HttpAnswer } from "./attempt.ts";
import { isOk, refusalOf } from "./refusal.ts";

/** The `Range` header (RFC 9110 section 14.2). `length` is not 0: a range of nothing cannot be asked for. */
export function rangeHeader({ offset, length }: ByteRange): string {
  if (offset < 0) return `bytes=${offset}`;
  return length === undefined ? `bytes=${offset}-` : `bytes=${offset}-${offset + length - 1}`;
}

/**
 * The bytes of an answer, when they are just those that were asked for.
 * @throws AgentError as stores do
 */
export function partOf(answer: HttpAnswer, range: ByteRange | undefined, place: string, what: string): Buffer {
  const { status, headers, body } = answer;
  // Only an offset behind the end, or a file that is empty, cannot be met.
  if (status === 416) throw tooShort(what, range?.length ?? 1);
  if (!isOk(answer)) throw refusalOf(answer, place, what);
  if (range === undefined) return body;
  if (status !== 206) {
    // This server knows no ranges.
    const { offset, length } = resolveRange(range, body.length, what);
    return body.subarray(offset, offset + length);
  }
  const [, first, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
  const asked = size === undefined ? undefined : resolveRange(range, Number(size), what);
  if (asked === undefined || Number(first) !== asked.offset || body.length !== asked.length) {
    throw new AgentError("store-failed", `${place} sends another part of ${what} than the one it was asked for. Check the service.`);
  }
  return body;
}
