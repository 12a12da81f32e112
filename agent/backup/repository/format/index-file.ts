import { type Cipher, SEAL_OVERHEAD } from "./cipher.ts";
import { CorruptError } from "./corrupt.ts";
import { documentName, sealText } from "./document.ts";
import type { Id } from "./ids.ts";
import type { BlobType, PackedBlob } from "./pack.ts";
import { Shape } from "./shape.ts";

export interface IndexedPack {
  id: Id;
  blobs: PackedBlob[];
}

/** Offsets and lengths in packs have 4 bytes. */
const UINT32_MAX = 2 ** 32 - 1;
/** restic finishes an index file at so many blobs. */
export const INDEX_BLOBS_MAX = 50_000;

/** The file that says which blobs lie where in these packs. `supersedes` names index files that it takes the place of. */
export function encodeIndex(
  cipher: Cipher,
  version: 1 | 2,
  packs: readonly IndexedPack[],
  supersedes: readonly Id[] = [],
): { name: Id; bytes: Buffer } {
  const before = supersedes.length === 0 ? "" : `"supersedes":${JSON.stringify(supersedes)},`;
  const each = packs.map(({ id, blobs }) => `{"id":"${id}","blobs":[${blobs.map(blobJson).join(",")}]}`);
  return sealText(cipher, version, `{${before}"packs":[${each.join(",")}]}`);
}

function blobJson({ id, type, offset, length, uncompressedLength }: PackedBlob): string {
  const tail = uncompressedLength === undefined ? "" : `,"uncompressed_length":${uncompressedLength}`;
  return `{"id":"${id}","type":"${type}","offset":${offset},"length":${length}${tail}}`;
}

/** @throws CorruptError */
export function decodeIndex(text: string, name: Id): { packs: IndexedPack[]; supersedes: Id[] } {
  const what = documentName("index", name);
  const file = Shape.parse(text, what);
  const packs = file.list("packs").map((value) => {
    const pack = new Shape(value, what);
    return { id: pack.id("id"), blobs: pack.list("blobs").map((blob) => decodeBlob(new Shape(blob, what))) };
  });
  return { packs, supersedes: file.ids("supersedes") };
}

function decodeBlob(shape: Shape): PackedBlob {
  const length = shape.count("length", UINT32_MAX);
  if (length < SEAL_OVERHEAD) throw new CorruptError(shape.what, `it has a blob of ${length} bytes`);
  const uncompressedLength = shape.has("uncompressed_length") ? shape.count("uncompressed_length", UINT32_MAX) : 0;
  return {
    id: shape.id("id"),
    type: blobType(shape),
    offset: shape.count("offset", UINT32_MAX),
    length,
    ...(uncompressedLength > 0 ? { uncompressedLength } : {}),
  };
}

function blobType(shape: Shape): BlobType {
  const type = shape.string("type");
  return type === "data" || type === "tree" ? type : shape.fail("type", '"data" or "tree"');
}
