import type { StoredFile } from "../types.ts";

/** Bytes of all files together; the oldest fall out beyond. Twenty messages with as much as one may carry. */
export const FILES_BYTES_MAX = 500 * 1024 * 1024;

/** Path under which the sandbox serves files, as Discord's CDN does: `/attachments/CHANNEL/ID/NAME`. */
export const FILES_PREFIX = "/attachments/";

/** Contents of attachments. They go with their message, or when newer ones need the room. */
export class Files {
  readonly #byId = new Map<string, StoredFile>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = FILES_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  add(file: StoredFile): void {
    this.#byId.set(file.id, file);
    this.#bytes += file.bytes.length;
    for (const oldest of this.#byId.values()) {
      if (this.#bytes <= this.#bytesMax || oldest === file) break;
      this.remove(oldest.id);
    }
  }

  get(id: string): StoredFile | undefined {
    return this.#byId.get(id);
  }

  /** The file behind a path below the prefix. All its parts must fit. */
  at(path: string): StoredFile | undefined {
    const [channelId, id = "", filename, ...more] = path.slice(FILES_PREFIX.length).split("/");
    const file = this.#byId.get(id);
    return file?.channelId === channelId && file?.filename === filename && more.length === 0 ? file : undefined;
  }

  remove(id: string): void {
    this.#bytes -= this.#byId.get(id)?.bytes.length ?? 0;
    this.#byId.delete(id);
  }

  all(): StoredFile[] {
    return [...this.#byId.values()];
  }
}

export function filePath({ channelId, id, filename }: Pick<StoredFile, "channelId" | "id" | "filename">): string {
  return `${FILES_PREFIX}${channelId}/${id}/${filename}`;
}
