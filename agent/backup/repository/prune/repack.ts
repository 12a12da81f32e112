import type { WorkerPool } from "../../workers/pool.ts";
import { CorruptError } from "../format/corrupt.ts";
import type { Id } from "../format/ids.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { type BlobType, PackBuilder, type PackedBlob } from "../format/pack.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { missingIsDamage } from "../missing.ts";
import type { Repository } from "../repository.ts";
import { VERIFY_PACK, type VerifyPackInput, type VerifyPackOutcome } from "../verify/pack-tasks.ts";

export interface RepackOptions {
  packs: readonly Id[];
  /** The blob of this entry of the index is needed. */
  isUsed: (entry: number) => boolean;
  /** Packs that were read so far. */
  onPack: (done: number) => void;
  signal: AbortSignal;
}

/**
 * Copies the needed blobs of packs into new packs, and stores these. Each blob is opened and its hash compared before: what is damaged is never
 * copied on.
 * @throws CorruptError when a needed blob is damaged
 */
export async function repack(
  repository: Repository,
  index: BlobIndex,
  pool: WorkerPool,
  { packs, isUsed, onPack, signal }: RepackOptions,
): Promise<IndexedPack[]> {
  const { store, cipher, master } = repository;
  const builders = new Map<BlobType, PackBuilder>();
  const stored: IndexedPack[] = [];
  const finish = async (type: BlobType) => {
    const builder = builders.get(type);
    builders.delete(type);
    if (builder === undefined || builder.blobs.length === 0) return;
    const { id, bytes, blobs } = builder.finish();
    await store.write("data", id, bytes, signal);
    stored.push({ id, blobs });
  };
  for (const [n, pack] of packs.entries()) {
    signal.throwIfAborted();
    const needed = index
      .entriesIn(pack)
      .filter(isUsed)
      .map((entry) => index.blobOf(entry))
      .sort((a, b) => a.offset - b.offset);
    const bytes = await missingIsDamage(`pack ${pack}`, store.read("data", pack, undefined, signal));
    const whole = await checked(pool, { master, pack, bytes: Uint8Array.from(bytes), blobs: needed });
    for (const blob of needed) {
      const builder = builders.get(blob.type) ?? new PackBuilder(cipher, blob.type);
      builders.set(blob.type, builder);
      builder.addSealed(blob, whole.subarray(blob.offset, blob.offset + blob.length));
      if (builder.full) await finish(blob.type);
    }
    onPack(n + 1);
  }
  for (const type of [...builders.keys()]) await finish(type);
  return stored;
}

/** The bytes of the pack, when all of these blobs in it are whole. */
async function checked(pool: WorkerPool, input: VerifyPackInput): Promise<Uint8Array> {
  const { damaged, bytes } = await pool.run<VerifyPackOutcome>(VERIFY_PACK, { ...input, giveBack: true }, [
    input.bytes.buffer as ArrayBuffer,
  ]);
  const [first] = damaged;
  if (first !== undefined) {
    const { id, type } = input.blobs[first] as PackedBlob;
    throw new CorruptError(`${type} blob ${id} in pack ${input.pack}`, "it is needed and cannot be read");
  }
  if (bytes === undefined) throw new Error("the thread kept the bytes of a pack");
  return bytes;
}
