import { freeMemory } from "../free-memory.ts";
import type { Cipher } from "./cipher.ts";
import { compress, decompress } from "./compression.ts";
import { CorruptError } from "./corrupt.ts";
import { goJson } from "./go-json.ts";
import { hashOf, type Id } from "./ids.ts";

export type DocumentType = "index" | "snapshots" | "locks";

/** How people call a document of a type. */
const WORDS: Record<DocumentType, string> = { index: "index", snapshots: "snapshot", locks: "lock" };
/** First byte of a document whose JSON is compressed by zstd. Others begin with JSON's own bracket. */
const COMPRESSED = 2;
const OPENING = new Set(Buffer.from("{["));
/** Documents are small, indexes up to some 10 MB. */
const LEVEL = 3;
const MIB = 1024 * 1024;
/** Largest JSON text of a document that is taken, in bytes: an index of two million blobs. */
const DOCUMENT_BYTES_MAX = 400 * MIB;

/** An encrypted JSON file as the format keeps indexes, snapshots and locks. `name` is what it is stored under. */
export function sealDocument(cipher: Cipher, version: 1 | 2, value: unknown): { name: Id; bytes: Buffer } {
  return sealBytes(cipher, version, Buffer.from(goJson(value)));
}

/** As `sealDocument`, of JSON that is made already, and whose memory nobody may use afterwards. */
export function sealBytes(cipher: Cipher, version: 1 | 2, plain: Buffer): { name: Id; bytes: Buffer } {
  const packed = version === 1 ? plain : Buffer.concat([Buffer.of(COMPRESSED), compress(plain, LEVEL)]);
  if (packed !== plain) freeMemory(plain);
  const bytes = cipher.seal(packed);
  return { name: hashOf(bytes), bytes };
}

/** The JSON text of a document. @throws CorruptError when its bytes are not what its name says, or not what was sealed. */
export function openDocument(cipher: Cipher, type: DocumentType, name: Id, bytes: Buffer): string {
  const what = documentName(type, name);
  const actual = hashOf(bytes);
  if (actual !== name) throw new CorruptError(what, `its ${bytes.length} bytes have the SHA-256 ${actual}`);
  const plain = cipher.open(bytes, what);
  const [first] = plain;
  if (first !== undefined && OPENING.has(first)) return plain.toString();
  if (first !== COMPRESSED)
    throw new CorruptError(what, `it begins with the byte ${first ?? "none"}, which is neither JSON nor compressed JSON`);
  return decompress(plain.subarray(1), undefined, DOCUMENT_BYTES_MAX, what).toString();
}

/** "snapshot 3f2a…": how messages name a document. */
export function documentName(type: DocumentType, name: Id): string {
  return `${WORDS[type]} ${name}`;
}
