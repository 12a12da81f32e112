import type { Cipher } from "./format/cipher.ts";
import { CorruptError } from "./format/corrupt.ts";
import type { Id } from "./format/ids.ts";
import type { BlobType } from "./format/pack.ts";
import type { BlobIndex, BlobLocation } from "./index/blob-index.ts";
import { openBlob } from "./open-blob.ts";
import { readAvailable } from "./pack-range.ts";
import type { RepositoryStore } from "./stores/store.ts";

/** Trees of one folder stand side by side in their pack: so much is read at a time, in bytes, to spare a store far away a call for each. */
const WINDOW_BYTES = 1024 * 1024;
/** Windows that are kept, the last used ones. */
const WINDOWS_MAX = 6;

interface Window {
  pack: Id;
  offset: number;
  bytes: Buffer;
}

/** Reads single blobs. Whoever needs many data blobs reads packs instead (restore, verify). */
export class BlobReader {
  readonly #store: RepositoryStore;
  readonly #cipher: Cipher;
  readonly #index: BlobIndex;
  /** Windows over packs of trees, last used last. */
  readonly #windows: Window[] = [];
  /** End of the last blob that the index knows in a pack of trees, in bytes: reading beyond would meet the header or nothing. */
  readonly #ends = new Map<Id, number>();

  constructor(store: RepositoryStore, cipher: Cipher, index: BlobIndex) {
    this.#store = store;
    this.#cipher = cipher;
    this.#index = index;
  }

  /**
   * A blob as it was stored, its hash checked. When it lies in several packs, the first whole one.
   * @throws CorruptError when no pack has it whole; what the store throws
   */
  async read(id: Id, type: BlobType, signal?: AbortSignal): Promise<Buffer> {
    let damage: CorruptError | undefined;
    for (const location of this.#index.findAll(id, type)) {
      try {
        return await this.#readAt(location, id, type, signal);
      } catch (error) {
        if (!(error instanceof CorruptError)) throw error;
        damage = error;
      }
    }
    throw damage ?? new CorruptError(`${type} blob ${id}`, "no index file names it");
  }

  async #readAt(location: BlobLocation, id: Id, type: BlobType, signal: AbortSignal | undefined): Promise<Buffer> {
    const { pack, offset, length, uncompressedLength } = location;
    const sealed =
      type === "tree" ? await this.#windowed(location, signal) : await readAvailable(this.#store, pack, offset, length, signal);
    if (sealed.length < length) throw new CorruptError(`pack ${pack}`, "it is missing in the store, or too short");
    return openBlob(this.#cipher, sealed, { id, type, uncompressedLength }, `${type} blob ${id} in pack ${pack}`);
  }

  async #windowed({ pack, offset, length }: BlobLocation, signal: AbortSignal | undefined): Promise<Buffer> {
    const end = offset + length;
    const at = this.#windows.findIndex((one) => one.pack === pack && one.offset <= offset && end <= one.offset + one.bytes.length);
    let [window] = at < 0 ? [] : this.#windows.splice(at, 1);
    if (window === undefined) {
      const reach = Math.min(this.#endOf(pack), offset + WINDOW_BYTES) - offset;
      window = { pack, offset, bytes: await readAvailable(this.#store, pack, offset, Math.max(length, reach), signal) };
    }
    this.#windows.push(window);
    if (this.#windows.length > WINDOWS_MAX) this.#windows.shift();
    return window.bytes.subarray(offset - window.offset, end - window.offset);
  }

  #endOf(pack: Id): number {
    let end = this.#ends.get(pack);
    if (end === undefined) {
      end = 0;
      for (const entry of this.#index.entriesIn(pack)) {
        const { offset, length } = this.#index.locationOf(entry);
        end = Math.max(end, offset + length);
      }
      this.#ends.set(pack, end);
    }
    return end;
  }
}
