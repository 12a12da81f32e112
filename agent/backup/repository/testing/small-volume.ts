import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { errorCode } from "../../error-code.ts";

/** What a test is skipped with where no volume can be mounted. */
export const SKIP_REASON = "skipped: mounting a tmpfs needs root or user namespaces";

const FILLER = "filler";
const MIB = 1024 * 1024;
const FILL_STEP_BYTES = 64 * 1024;

/** Whether this process may mount, such as root may. */
export function mayMount(): boolean {
  const folder = join(tmpdir(), `reconsync-mount-${process.pid}`);
  mkdirSync(folder);
  try {
    mount(folder, 1);
    umount(folder);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether a process can be started that may mount: in a namespace of its own, where it is root. */
export function mayUnshare(): boolean {
  try {
    execFileSync("unshare", ["--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", tmpdir()], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A volume of a few MiB in memory, which can be filled. It goes with the test. */
export class SmallVolume {
  readonly folder: string;

  constructor(folder: string, mebibytes: number) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    mount(folder, mebibytes);
    onTestFinished(() => umount(folder));
  }

  /** Takes all that is free, whatever others write meanwhile. */
  fill(): void {
    const filler = openSync(join(this.folder, FILLER), "w");
    try {
      const bytes = Buffer.alloc(FILL_STEP_BYTES);
      for (let full = false; !full; ) full = !wrote(filler, bytes);
    } finally {
      closeSync(filler);
    }
  }

  makeRoom(): void {
    rmSync(join(this.folder, FILLER));
  }

  resize(mebibytes: number): void {
    execFileSync("mount", ["-o", `remount,size=${mebibytes * MIB}`, this.folder]);
  }
}

/** False when there was no room. */
function wrote(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) === bytes.length;
  } catch (error) {
    if (errorCode(error) === "ENOSPC") return false;
    throw error;
  }
}

function mount(folder: string, mebibytes: number): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes * MIB}`, "tmpfs", folder], { stdio: "pipe" });
}

/** Lazily: a thread may have a file open for a moment longer. */
function umount(folder: string): void {
  execFileSync("umount", ["--lazy", folder], { stdio: "pipe" });
}
