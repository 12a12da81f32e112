import { joinBytes } from "../list/walk-tree.ts";
import type { FileMeta } from "./file-meta.ts";
import { type FsPath, joinPath, partialName } from "./names.ts";

/** A folder that is being restored. */
export interface FolderWork {
  /** As in the snapshot. */
  path: Buffer;
  location: FsPath;
  /** The folder that it is in; none for the target itself. */
  parent: FolderWork | null;
  /** Nothing may be written into one that failed: what is in its place may be a link to somewhere else. */
  state: "planned" | "made" | "failed";
}

/** A file with several names: where the first one is, once it is written. */
export interface LinkedFile {
  place: FsPath | null;
  damaged: boolean;
}

/** A name in a folder that is being restored. There are tens of thousands at a time, so paths are put together when they are asked for. */
export class NamedWork {
  readonly folder: FolderWork;
  readonly #name: FsPath;
  /** The name in the snapshot, where it is another one. */
  readonly #original: Buffer | undefined;

  constructor(folder: FolderWork, name: FsPath, original: Buffer) {
    this.folder = folder;
    this.#name = name;
    if (!original.equals(Buffer.from(name as string))) this.#original = original;
  }

  /** As in the snapshot. */
  get path(): Buffer {
    return joinBytes(this.folder.path, this.#original ?? Buffer.from(this.#name as string));
  }

  /** Its own place. */
  get location(): FsPath {
    return joinPath(this.folder.location, this.#name);
  }
}

/** A file that is being restored. */
export class FileWork extends NamedWork {
  /** Bytes of its content. */
  size: number;
  /** Bytes of it that take no room. */
  readonly holes: number;
  readonly meta: FileMeta;
  /** It has other names in the snapshot too. */
  readonly linked: LinkedFile | undefined;
  /** Writes that are planned and not done. */
  left = 0;
  /** The partial file is there, with its size. */
  made = false;
  /** Some of its content is lost. */
  damaged = false;
  /** It ended: written, damaged, or given up. */
  done = false;
  readonly #run: string;
  readonly #number: number;

  /** @param run Tells this run from others, `number` this file from others of the run. */
  constructor(
    place: { folder: FolderWork; name: FsPath; original: Buffer; run: string; number: number },
    content: { size: number; holes: number; meta: FileMeta; linked: LinkedFile | undefined },
  ) {
    super(place.folder, place.name, place.original);
    this.#run = place.run;
    this.#number = place.number;
    this.size = content.size;
    this.holes = content.holes;
    this.meta = content.meta;
    this.linked = content.linked;
  }

  /** Where it is written until it is whole. */
  get partial(): FsPath {
    return joinPath(this.folder.location, partialName(this.#run, this.#number));
  }
}

/** What comes when the files of a round are written, in the order of the walk: what is in a folder before the folder itself. */
export type EndWork =
  | { kind: "folder"; folder: FolderWork; meta: FileMeta }
  | { kind: "symlink"; at: NamedWork; to: Buffer; meta: FileMeta }
  | { kind: "link"; at: NamedWork; first: LinkedFile };
