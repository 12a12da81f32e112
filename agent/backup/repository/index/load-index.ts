import { atOnce } from "../at-once.ts";
import type { Cipher } from "../format/cipher.ts";
import { CorruptError } from "../format/corrupt.ts";
import { openDocument } from "../format/document.ts";
import type { Id } from "../format/ids.ts";
import { decodeIndex, type IndexedPack } from "../format/index-file.ts";
import { missingIsDamage } from "../missing.ts";
import type { RepositoryStore } from "../stores/store.ts";
import type { BlobIndex } from "./blob-index.ts";
import type { IndexCache } from "./index-cache.ts";

export interface LoadContext {
  store: RepositoryStore;
  cipher: Cipher;
  index: BlobIndex;
  cache?: IndexCache;
  /** Told of each index file that cannot be read, instead of an error. */
  onDamaged?: (damage: CorruptError) => void;
}

/**
 * Fills the index from every index file that is not in `loaded` yet, several at a time, and adds their names there.
 * @throws CorruptError for the first damaged one, unless `onDamaged` is given
 */
export async function loadIndexFiles(context: LoadContext, loaded: Set<Id>, signal?: AbortSignal): Promise<void> {
  const { store, cache, index, onDamaged } = context;
  const names = new Set<Id>();
  for await (const { name } of store.list("index", signal)) names.add(name);
  const wanted = [...names].filter((name) => !loaded.has(name));
  await atOnce(wanted, store.parallel, async (name) => {
    signal?.throwIfAborted();
    if (cache !== undefined && (await cache.load(name, index))) {
      loaded.add(name);
      return;
    }
    try {
      const packs = await readIndexFile(context, name, signal);
      for (const pack of packs) index.addPack(pack, name);
      loaded.add(name);
      await cache?.save(name, packs);
    } catch (error) {
      if (!(error instanceof CorruptError) || onDamaged === undefined) throw error;
      onDamaged(error);
    }
  });
  await cache?.keepOnly(names);
}

/** @throws CorruptError */
export async function readIndexFile({ store, cipher }: LoadContext, name: Id, signal?: AbortSignal): Promise<IndexedPack[]> {
  const bytes = await missingIsDamage(`index ${name}`, store.read("index", name, undefined, signal));
  return decodeIndex(openDocument(cipher, "index", name, bytes), name).packs;
}
