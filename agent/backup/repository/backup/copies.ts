import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../../error-code.ts";

const PREFIX = "reconsync-copies-";
const NAME = /^reconsync-copies-(\d+)-/;
/** A folder that is older was left by a process that was killed, even if its number is in use again: no backup runs for so long. */
const LIFE_MS = 48 * 60 * 60_000;

/** A folder for copies of databases, made when the first is needed. One that a killed run left is removed by the next. */
export class Copies {
  readonly #parent: string;
  #folder: string | null = null;
  #count = 0;

  /** @param parent A folder of ours, on a disk: copies are as large as the databases. */
  constructor(parent: string, now: number) {
    this.#parent = parent;
    removeLeftovers(parent, now);
  }

  /** A path at which nothing is yet. */
  next(): string {
    if (this.#folder === null) {
      mkdirSync(this.#parent, { recursive: true, mode: 0o700 });
      this.#folder = mkdtempSync(join(this.#parent, `${PREFIX}${process.pid}-`));
    }
    this.#count += 1;
    return join(this.#folder, `${this.#count}.sqlite`);
  }

  remove(path: string): void {
    rmSync(path, { force: true });
  }

  close(): void {
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = null;
  }
}

/** A folder of copies, of this run or another: never part of a backup. */
export function isCopiesFolder(name: string): boolean {
  return NAME.test(name);
}

function removeLeftovers(parent: string, now: number): void {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    const pid = NAME.exec(name)?.[1];
    const stats = pid === undefined ? undefined : lstatSync(join(parent, name), { throwIfNoEntry: false });
    if (stats === undefined || !stats.isDirectory()) continue;
    if (now - stats.mtimeMs > LIFE_MS || !isRunning(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process may not be signalled, but it is there.
    return errorCode(error) === "EPERM";
  }
}
