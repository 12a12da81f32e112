import type { Cipher } from "../format/cipher.ts";
import type { CompressionLevel } from "../format/compression.ts";
import { hashOf } from "../format/ids.ts";
import { type FinishedPack, PackBuilder } from "../format/pack.ts";
import { encodeTree, type TreeNode } from "../format/tree.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { rawIds } from "./contents.ts";

/** Trees are small beside what they tell of: 20,000 files make some 2 MB, compressed. A pack of them is read whole sooner or later. In bytes. */
const TREE_PACK_BYTES = 4 * 1024 * 1024;

/**
 * Packs trees, apart from data: whoever lists a snapshot then reads few packs. It runs on the main thread: trees of 20,000 files, 9 MB of
 * JSON, take 30 ms to compress and seal, less than it would take to start a thread for them.
 */
export class TreePacker {
  readonly #cipher: Cipher;
  readonly #index: BlobIndex;
  readonly #level: CompressionLevel;
  readonly #memory: () => ArrayBufferLike;
  #pack: PackBuilder | null = null;
  #full: FinishedPack[] = [];
  /** Contents of the trees that were new, in bytes. */
  newBytes = 0;

  /** @param memory Asked for each pack. */
  constructor(cipher: Cipher, index: BlobIndex, level: CompressionLevel, memory: () => ArrayBufferLike) {
    this.#cipher = cipher;
    this.#index = index;
    this.#level = level;
    this.#memory = memory;
  }

  /** Raw id of the tree of these nodes, which is packed when the repository has none such. */
  add(nodes: readonly TreeNode[]): Buffer {
    const bytes = encodeTree(nodes);
    const id = hashOf(bytes);
    const raw = rawIds([id]);
    if (!this.#index.claim(raw, 0, "tree")) return raw;
    this.#pack ??= new PackBuilder(this.#cipher, "tree", TREE_PACK_BYTES, this.#memory());
    this.#pack.add(id, bytes, this.#level);
    this.newBytes += bytes.length;
    if (this.#pack.full) this.#finish();
    return raw;
  }

  /** Packs that are full. Each is answered once. */
  takeFull(): FinishedPack[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }

  /** Those, and the one that is not full. */
  takeAll(): FinishedPack[] {
    this.#finish();
    return this.takeFull();
  }

  #finish(): void {
    if (this.#pack !== null) this.#full.push(this.#pack.finish());
    this.#pack = null;
  }
}
