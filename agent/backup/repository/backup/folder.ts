import { type Contents, type EntryContent, NOTHING } from "./contents.ts";
import { Listing } from "./listing.ts";
import { childPath, type PathBytes } from "./paths.ts";

/** What the backup before knew of a folder. */
export interface Previous {
  listing: Listing;
  contents: Contents;
  /** Raw id of its tree. */
  tree: Buffer;
}

/** A path that is backed up, on its way. */
export interface SourceRun {
  /** Names the source in the file index. */
  readonly root: string;
  /** The source is a file: its folder holds that one entry, and is not stored itself. */
  readonly single: boolean;
  /** Its folder, once all of it has come to its end, with the raw id of its tree. */
  top: Folder | null;
  tree: Buffer | null;
}

/** A folder on its way through a backup: what is in it, and what has come of each entry so far. */
export class Folder {
  readonly source: SourceRun;
  readonly parent: Folder | null;
  /** Its number in the parent's listing. */
  readonly entry: number;
  readonly path: PathBytes;
  /** From the source's folder, with `/`; empty for that itself. As the globs of a filter see it. */
  readonly relative: string;
  /** It, or a folder above it, is named by an include: everything below is. */
  readonly included: boolean;
  /** Filled by the walk, when it has looked into the folder. */
  listing: Listing = new Listing(Buffer.alloc(0));
  previous: Previous | null = null;
  /** It was gone, or no folder any more, when it was looked into. */
  vanished = false;
  /** Neither it nor anything in it has to be encoded anew, as far as is known. */
  untouched = false;
  /** Entries that the next backup has to look at again, whatever it finds: torn ones, and those that could not be read. */
  readonly distrusted = new Set<number>();
  /** Entries of which only so many bytes are stored, as the server said. */
  lengths: Map<number, number> | null = null;
  /** What has to happen before it is finished: its own look, its folders, its files that are read. */
  pending = 1;
  #results: (EntryContent | undefined)[] = [];
  /** Number in the previous listing of each entry that was taken over from there; -1 for the others. Absent: the numbers are the same. */
  #taken: Int32Array | undefined;

  constructor(source: SourceRun, parent: Folder | null, entry: number, path: PathBytes, relative: string, included: boolean) {
    this.source = source;
    this.parent = parent;
    this.entry = entry;
    this.path = path;
    this.relative = relative;
    this.included = included;
  }

  /** From here on nothing is taken over unless `take` says so. */
  startAnew(): void {
    this.#taken = new Int32Array(this.listing.count).fill(-1);
  }

  /** The entry is as it was. */
  take(entry: number, previousEntry: number): void {
    if (this.#taken !== undefined) this.#taken[entry] = previousEntry;
  }

  setContent(entry: number, content: EntryContent): void {
    this.#results[entry] = content;
  }

  content(entry: number): EntryContent {
    const result = this.#results[entry];
    if (result !== undefined) return result;
    return this.previousContent(entry) ?? NOTHING;
  }

  /** What the backup before had of an entry that was taken over. */
  previousContent(entry: number): EntryContent | undefined {
    const before = this.#taken === undefined ? entry : (this.#taken[entry] ?? -1);
    return before < 0 ? undefined : this.previous?.contents.at(before);
  }

  contents(): EntryContent[] {
    return Array.from({ length: this.listing.count }, (_, entry) => this.content(entry));
  }

  pathOf(entry: number): PathBytes {
    return childPath(this.path, this.listing.name(entry));
  }
}
