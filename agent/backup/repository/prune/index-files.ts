import { atOnce } from "../at-once.ts";
import type { Id } from "../format/ids.ts";
import { encodeIndex, INDEX_BLOBS_MAX, type IndexedPack } from "../format/index-file.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import type { Repository } from "../repository.ts";

/** Frequent backups leave small index files, of fewer blobs than this; … */
const SMALL_BLOBS = INDEX_BLOBS_MAX / 4;
/** … when there are so many, they are put together: each costs a call to the store when a repository is opened. */
const SMALL_FILES_MIN = 8;

export interface IndexPlan {
  /** Index files that go. */
  remove: Id[];
  /** Packs that stay and that no other index file names. */
  rename: Id[];
}

/** Which index files have to be written anew: those that name a pack that goes, and small ones. */
export function planIndexFiles(index: BlobIndex, names: ReadonlySet<Id>, gone: ReadonlySet<Id>): IndexPlan {
  const blobs = new Map<Id, number>([...names].map((name) => [name, 0]));
  const remove = new Set<Id>();
  for (const { id, indexes, blobs: count } of index.packs()) {
    for (const name of indexes) {
      blobs.set(name, (blobs.get(name) ?? 0) + count);
      if (gone.has(id)) remove.add(name);
    }
  }
  const small = [...blobs].filter(([, count]) => count < SMALL_BLOBS).map(([name]) => name);
  if (small.length >= SMALL_FILES_MIN) for (const name of small) remove.add(name);
  const rename: Id[] = [];
  for (const { id, indexes } of index.packs()) {
    if (!gone.has(id) && indexes.every((name) => remove.has(name))) rename.push(id);
  }
  return { remove: [...remove], rename };
}

/** Writes the new index files, then removes the old ones. Answers how many are new. */
export async function changeIndexFiles(
  { store, cipher, config }: Repository,
  index: BlobIndex,
  { remove, rename }: IndexPlan,
  fresh: readonly IndexedPack[],
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  let packs: IndexedPack[] = [];
  let blobs = 0;
  const write = async () => {
    if (packs.length === 0) return;
    const { name, bytes } = encodeIndex(cipher, config.version, packs);
    await store.write("index", name, bytes, signal);
    count += 1;
    packs = [];
    blobs = 0;
  };
  const add = async (pack: IndexedPack) => {
    packs.push(pack);
    blobs += pack.blobs.length;
    if (blobs >= INDEX_BLOBS_MAX) await write();
  };
  for (const pack of fresh) await add(pack);
  for (const id of rename) await add({ id, blobs: index.blobsOf(id) });
  await write();
  await atOnce(remove, store.parallel, async (name) => {
    signal.throwIfAborted();
    await store.remove("index", name, signal);
  });
  return count;
}
