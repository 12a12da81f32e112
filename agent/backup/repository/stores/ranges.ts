import { AgentError } from "../../../errors.ts";
import type { ByteRange } from "./store.ts";

/** Largest file that is read at once, in bytes: restic's packs have at most 128 MiB and a bit, an index of ours far less. */
export const FILE_BYTES_MAX = 512 * 1024 * 1024;

/**
 * Which bytes of a file of that size a range means.
 * @param what names the file
 * @throws AgentError `store-failed` when the file is too short, or the part too large
 */
export function resolveRange(range: ByteRange | undefined, size: number, what: string): { offset: number; length: number } {
  const offset = range === undefined ? 0 : range.offset < 0 ? Math.max(0, size + range.offset) : range.offset;
  const length = range?.length ?? size - offset;
  if (length < 0 || offset + length > size) throw tooShort(what, offset + Math.max(0, length) - size);
  if (length > FILE_BYTES_MAX) {
    throw new AgentError("store-failed", `${what} is asked for ${length} bytes at once, more than any file of a repository has.`);
  }
  return { offset, length };
}

/** A file that has fewer bytes than the index says. */
export function tooShort(what: string, missing: number): AgentError {
  return new AgentError("store-failed", `${what} ends ${missing} bytes too early. Run "reconsync repository verify".`);
}
