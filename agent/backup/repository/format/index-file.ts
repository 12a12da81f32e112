import { type Cipher, SEAL_OVERHEAD } from "./cipher.ts";
import { CorruptError } from "./corrupt.ts";
import { documentName, sealBytes } from "./document.ts";
import type { Id } from "./ids.ts";
import type { BlobType, PackedBlob } from "./pack.ts";
import { Shape } from "./shape.ts";
import { TextPieces } from "./text-pieces.ts";

export interface IndexedPack {
  id: Id;
  blobs: PackedBlob[];
}

/** Offsets and lengths in packs have 4 bytes. */
const UINT32_MAX = 2 ** 32 - 1;
/** An index file is finished at so many blobs. restic's have up to 50,000, which take 30 MB of memory to put together. */
export const INDEX_BLOBS_MAX = 10_000;

/** The file that says which blobs lie where in these packs. `supersedes` names index files that it takes the place of. */
export function encodeIndex(
  cipher: Cipher,
  version: 1 | 2,
  packs: readonly IndexedPack[],
  supersedes: readonly Id[] = [],
): { name: Id; bytes: Buffer } {
  const json = new TextPieces();
  json.add(supersedes.length === 0 ? '{"packs":[' : `{"supersedes":${JSON.stringify(supersedes)},"packs":[`);
  for (const [n, { id, blobs }] of packs.entries()) {
    json.add(`${n === 0 ? "" : ","}{"id":"${id}","blobs":[`);
    for (const [at, blob] of blobs.entries()) json.add(at === 0 ? blobJson(blob) : `,${blobJson(blob)}`);
    json.add("]}");
  }
  json.add("]}");
  return sealBytes(cipher, version, json.finish());
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
