import picomatch from "picomatch";
import type { PathFilter } from "./globs.ts";

/**
 * What a server said of its files while it holds them: of each that it listed, so many bytes are complete, whatever it appends meanwhile. Paths
 * are relative to the server's folder, with `/`.
 */
export class FileLengths {
  readonly #lengths: ReadonlyMap<string, number>;
  readonly #folders = new Set<string>();
  readonly #only: (path: string) => boolean;
  readonly #fold: (path: string) => string;

  /** @param only Globs: of what they match, only files that are listed belong into a backup. */
  constructor(lengths: ReadonlyMap<string, number>, only: readonly string[], { ignoreCase }: { ignoreCase: boolean }) {
    this.#fold = (path) => (ignoreCase ? path.toLowerCase() : path);
    this.#lengths = new Map([...lengths].map(([path, bytes]) => [this.#fold(path), bytes]));
    this.#only = only.length === 0 ? () => false : picomatch([...only], { dot: true, nocase: ignoreCase, nonegate: true, windows: false });
    for (const path of this.#lengths.keys()) {
      for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) this.#folders.add(path.slice(0, end));
    }
  }

  get count(): number {
    return this.#lengths.size;
  }

  /** Bytes of a file that belong into a backup; undefined when all of them do. */
  of(path: string): number | undefined {
    return this.#lengths.get(this.#fold(path));
  }

  /** It came after the server had made its list. */
  leavesOut(path: string): boolean {
    const known = this.#fold(path);
    return this.#only(path) && !this.#lengths.has(known) && !this.#folders.has(known);
  }
}

/** A filter that leaves out what the server did not list, too. */
export function withLengths(filter: PathFilter, lengths: FileLengths | undefined): PathFilter {
  if (lengths === undefined) return filter;
  return { ...filter, excludes: (path) => filter.excludes(path) || lengths.leavesOut(path) };
}
