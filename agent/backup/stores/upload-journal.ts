/**
 * Remembers archives that were begun and that nobody has been told of yet, beyond the life of the process. An archive that was finished just
 * before a crash is one of them: its job runs again and makes another, so it must go.
 */
export interface UploadJournal {
  /** `ref`: the upload's id in R2, or the path of a local archive. */
  begun(ref: string, server: string, name: string): void;
  /** Removed, or its result is safe: nothing is left to clean up. */
  ended(ref: string): void;
  open(server: string): { ref: string; name: string }[];
}

/** A journal that forgets when the process ends. */
export class MemoryUploadJournal implements UploadJournal {
  readonly #open = new Map<string, { server: string; name: string }>();

  begun(ref: string, server: string, name: string): void {
    this.#open.set(ref, { server, name });
  }

  ended(ref: string): void {
    this.#open.delete(ref);
  }

  open(server: string): { ref: string; name: string }[] {
    return [...this.#open].filter(([, entry]) => entry.server === server).map(([ref, { name }]) => ({ ref, name }));
  }
}
