import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * A virtual machine's host takes free memory away within seconds, in pieces of 2 MiB and more, and the first touch of each page then costs up to seven times as
 * much as writing to it: more than all else in a restore, and now this tool's bad luck, now that one's. So a process takes twice as much as shall be free and gives
 * back every other piece of 256 KiB. What is free was touched, and lies in pieces that the host leaves alone as long as the process is there.
 */
const PIECE_BYTES = 256 * 1024;

/** Each piece has a mapping of its own, so that what is given back goes to the system (glibc's names; elsewhere they mean nothing). */
const OWN_MAPPINGS = { MALLOC_MMAP_THRESHOLD_: String(PIECE_BYTES / 2), MALLOC_MMAP_MAX_: "1000000" };

const SCRIPT = `
const [pieces, bytes] = process.argv.slice(1).map(Number);
const kept = [];
const given = [];
for (let n = 0; n < pieces; n += 1) {
  kept.push(Buffer.alloc(bytes, 1));
  given.push(Buffer.alloc(bytes, 1));
}
for (const { buffer } of given) buffer.transfer(0);
process.stdout.write("ready");
process.stdin.resume().on("end", () => process.exit(kept.length === pieces ? 0 : 1));
`;

/** Memory that is held so that other memory stays free and at hand. */
export class Ballast {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.#ended = once(process, "exit");
    // It is awaited by `drop`; an interrupt may come before.
    this.#ended.catch(() => undefined);
  }

  /** Ballast around `bytes` of free memory, as much as that. */
  static async around(bytes: number, signal: AbortSignal): Promise<Ballast> {
    const args = ["-e", SCRIPT, String(Math.ceil(bytes / PIECE_BYTES)), String(PIECE_BYTES)];
    const child = spawn(process.execPath, args, { env: { ...process.env, ...OWN_MAPPINGS }, stdio: ["pipe", "pipe", "inherit"], signal });
    const ballast = new Ballast(child);
    const ready = once(child.stdout, "data", { signal });
    await Promise.race([ready, ballast.#ended.then(() => Promise.reject(new Error("The memory could not be taken")))]);
    return ballast;
  }

  async drop(): Promise<void> {
    this.#process.stdin?.end();
    await this.#ended;
  }
}
