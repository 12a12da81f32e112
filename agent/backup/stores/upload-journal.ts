import type { UploadId } from "../../../schemas/index.ts";

/** Remembers uploads that were begun and neither completed nor aborted, beyond the life of the process. */
export interface UploadJournal {
  begun(upload: UploadId, server: string, name: string): void;
  /** Completed or removed: nothing is left to clean up. */
  ended(upload: UploadId): void;
  open(server: string): { upload: UploadId; name: string }[];
}

/** A journal that forgets when the process ends. */
export class MemoryUploadJournal implements UploadJournal {
  readonly #open = new Map<UploadId, { server: string; name: string }>();

  begun(upload: UploadId, server: string, name: string): void {
    this.#open.set(upload, { server, name });
  }

  ended(upload: UploadId): void {
    this.#open.delete(upload);
  }

  open(server: string): { upload: UploadId; name: string }[] {
    return [...this.#open].filter(([, entry]) => entry.server === server).map(([upload, { name }]) => ({ upload, name }));
  }
}
