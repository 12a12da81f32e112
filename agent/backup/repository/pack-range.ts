import type { Id } from "./format/ids.ts";
import { isMissing } from "./missing.ts";
import type { RepositoryStore } from "./stores/store.ts";

/**
 * Bytes of a pack from `offset` on, as many of `length` as there are: fewer when the pack was cut short, none when it is missing. Whoever opens
 * the blobs in them finds out. They may lie in `memory`, where they fit.
 */
export async function readAvailable(
  store: RepositoryStore,
  pack: Id,
  offset: number,
  length: number,
  signal?: AbortSignal,
  memory?: Uint8Array,
): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0);
  try {
    return await store.read("data", pack, { offset, length }, signal, memory);
  } catch (error) {
    if (isMissing(error)) return Buffer.alloc(0);
    signal?.throwIfAborted();
    const info = await store.stat("data", pack, signal);
    // It is all there: the error was another one.
    if (info !== null && info.bytes >= offset + length) throw error;
    const left = Math.max(0, (info?.bytes ?? 0) - offset);
    return readAvailable(store, pack, offset, left, signal, memory);
  }
}
