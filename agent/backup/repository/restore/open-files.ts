import { closeSync, constants, openSync } from "node:fs";
import type { FsPath } from "./names.ts";

/** Files that a thread keeps open at the same time; each thread has so many. */
const OPEN_MAX = 64;

/** Never through a symbolic link, where the platform can tell. */
const NOFOLLOW = constants.O_NOFOLLOW ?? 0;
export const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NOFOLLOW;
const WRITE = constants.O_WRONLY | NOFOLLOW;
/** Nobody else reads a file before it has its own mode. */
const PRIVATE = 0o600;

export function createFile(path: FsPath): number {
  return openSync(path, CREATE, PRIVATE);
}

export function openForWriting(path: FsPath): number {
  return openSync(path, WRITE);
}

/** Files that are written here and there. The one that was not used for longest is closed when there are too many. */
export class OpenFiles {
  readonly #open = new Map<number, number>();

  /** The descriptor of file number `file`, opened when it is not open. */
  get(file: number, open: () => number): number {
    let fd = this.#open.get(file);
    if (fd !== undefined) this.#open.delete(file);
    else fd = open();
    this.#open.set(file, fd);
    const [oldest] = this.#open;
    if (this.#open.size > OPEN_MAX && oldest !== undefined) {
      this.#open.delete(oldest[0]);
      closeSync(oldest[1]);
    }
    return fd;
  }

  /** Forgets a file; the caller closes it. */
  take(file: number): number | undefined {
    const fd = this.#open.get(file);
    this.#open.delete(file);
    return fd;
  }

  closeAll(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }
}
