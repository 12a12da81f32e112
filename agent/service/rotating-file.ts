import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

/** Largest log file, in bytes; so many of them are kept besides the one that grows. */
export const LOG_BYTES_MAX = 10 * 1024 * 1024;
export const LOGS_KEPT = 3;

/** A log that grows up to a size, then becomes `FILE.1`, the one before `FILE.2`, and so on; the oldest goes. */
export class RotatingFile {
  readonly #file: string;
  readonly #max: number;
  #handle: number;
  #size: number;

  constructor(file: string, max = LOG_BYTES_MAX) {
    this.#file = file;
    this.#max = max;
    this.#handle = openSync(file, "a", 0o600);
    this.#size = fstatSync(this.#handle).size;
  }

  write(chunk: Uint8Array): void {
    if (this.#size > 0 && this.#size + chunk.byteLength > this.#max) this.#rotate();
    writeSync(this.#handle, chunk);
    this.#size += chunk.byteLength;
  }

  close(): void {
    closeSync(this.#handle);
  }

  #rotate(): void {
    closeSync(this.#handle);
    makeRoom(this.#file);
    moveIfThere(this.#file, `${this.#file}.1`);
    this.#handle = openSync(this.#file, "a", 0o600);
    // Somebody has the file open and it could not be moved: it grows on rather than losing lines.
    this.#size = fstatSync(this.#handle).size;
  }
}

/** `FILE.1` becomes `FILE.2`, and so on; the oldest goes. */
export function makeRoom(file: string): void {
  for (let age = LOGS_KEPT; age > 1; age--) moveIfThere(`${file}.${age - 1}`, `${file}.${age}`);
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ENOENT" && code !== "EPERM" && code !== "EACCES" && code !== "EBUSY") throw error;
  }
}
