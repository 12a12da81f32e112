import type { Cipher } from "./format/cipher.ts";
import { BLOB_BYTES_MAX, decompress } from "./format/compression.ts";
import { CorruptError } from "./format/corrupt.ts";
import { hashOf, type Id } from "./format/ids.ts";
import type { BlobType } from "./format/pack.ts";
import { freeMemory } from "./free-memory.ts";

/**
 * No blob is larger when it is plain, in bytes, so that a damaged or hostile length cannot fill the memory. Chunks of files have at most 8 MiB in
 * restic's format, and other programs may cut larger ones; a tree is as large as its folder.
 */
export const PLAIN_MAX_BYTES: Record<BlobType, number> = { data: 128 * 1024 * 1024, tree: BLOB_BYTES_MAX };

/**
 * What is in a blob: opened, decompressed, and its hash compared.
 * @throws CorruptError that names `what`
 */
export function openBlob(
  cipher: Cipher,
  sealed: Uint8Array,
  blob: { id: Id; type: BlobType; uncompressedLength?: number },
  what: string,
): Buffer {
  const opened = cipher.open(sealed, what);
  const { id, type, uncompressedLength } = blob;
  const plain = uncompressedLength === undefined ? opened : decompress(opened, uncompressedLength, PLAIN_MAX_BYTES[type], what);
  if (plain !== opened) freeMemory(opened);
  if (hashOf(plain) !== id) throw new CorruptError(what, "its content has another SHA-256 than its name");
  return plain;
}
