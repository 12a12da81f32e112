import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Cipher, type MasterKey } from "../format/cipher.ts";
import { BLOB_BYTES_MAX, decompress } from "../format/compression.ts";
import { decodeConfig, type RepositoryConfig } from "../format/config-file.ts";
import { openDocument } from "../format/document.ts";
import { hashOf, type Id } from "../format/ids.ts";
import { decodeIndex } from "../format/index-file.ts";
import { openKeyFile } from "../format/key-file.ts";
import { headerLength, type PackedBlob, packBytes, parsePackHeader } from "../format/pack.ts";
import { decodeSnapshot, type Snapshot } from "../format/snapshot.ts";

/** Every blob of a repository in a local folder, read with the codecs alone and all at once: a judge for small repositories. */
export interface PlainRepository {
  master: MasterKey;
  cipher: Cipher;
  config: RepositoryConfig;
  snapshots: Snapshot[];
  /** Contents by id. */
  data: Map<Id, Buffer>;
  trees: Map<Id, Buffer>;
}

/** @throws where a name, a header or an index does not fit what is stored. */
export async function readPlainly(folder: string, password: string): Promise<PlainRepository> {
  const file = (...names: string[]) => readFileSync(path.join(folder, ...names));
  const list = (type: string) => readdirSync(path.join(folder, type));
  const keys = await Promise.all(list("keys").map((name) => openKeyFile(file("keys", name), Buffer.from(password))));
  const master = keys.find((key) => key !== null);
  if (master === undefined || master === null) throw new Error(`No key of ${folder} opens with this password`);
  const cipher = new Cipher(master);
  const found = { data: new Map<Id, Buffer>(), tree: new Map<Id, Buffer>() };
  for (const name of list("index")) {
    for (const { id, blobs } of decodeIndex(openDocument(cipher, "index", name, file("index", name)), name).packs) {
      const pack = file("data", id.slice(0, 2), id);
      if (hashOf(pack) !== id) throw new Error(`Pack ${id} has another hash`);
      checkHeader(cipher, pack, blobs, id);
      for (const blob of blobs) found[blob.type].set(blob.id, readBlob(cipher, pack, blob));
    }
  }
  const snapshots = list("snapshots").map((name) => decodeSnapshot(openDocument(cipher, "snapshots", name, file("snapshots", name)), name));
  return { master, cipher, config: decodeConfig(cipher, file("config")), snapshots, data: found.data, trees: found.tree };
}

function checkHeader(cipher: Cipher, pack: Buffer, blobs: PackedBlob[], id: Id): void {
  const length = headerLength(pack.subarray(-4), pack.length, `pack ${id}`);
  const header = parsePackHeader(cipher, pack.subarray(-4 - length, -4), `pack ${id}`);
  if (packBytes(header) !== pack.length) throw new Error(`Pack ${id} has ${pack.length} bytes, its header speaks of ${packBytes(header)}`);
  const sorted = (list: PackedBlob[]) => JSON.stringify(list.toSorted((a, b) => a.offset - b.offset));
  if (sorted(header) !== sorted(blobs)) throw new Error(`The header of pack ${id} and the index differ`);
}

function readBlob(cipher: Cipher, pack: Buffer, { id, offset, length, uncompressedLength }: PackedBlob): Buffer {
  const stored = cipher.open(pack.subarray(offset, offset + length), `blob ${id}`);
  const plain = uncompressedLength === undefined ? stored : decompress(stored, uncompressedLength, BLOB_BYTES_MAX, `blob ${id}`);
  if (hashOf(plain) !== id) throw new Error(`Blob ${id} holds something else`);
  return plain;
}
