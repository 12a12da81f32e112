import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";

/**
 * A virtual machine's host takes free memory away within seconds, in pieces of 2 MiB and more, and the first touch of each page then costs up to seven times as
 * much as writing to it: more than all else in a restore, and now this tool's bad luck, now that one's. So a process takes all memory that can be had, the page cache's too, and
 * gives most of it back, but for every fourth piece of 256 KiB. What is free was touched, and lies in pieces that the host leaves alone as long as the process is there.
 */
const PIECE_BYTES = 256 * 1024;
const KEPT_OF = 4;
/** Left to the system, in bytes. */
const LEFT_BYTES = 1024 * 1024 * 1024;

/** Each piece has a mapping of its own, so that what is given back goes to the system (glibc's names; elsewhere they mean nothing). */
const OWN_MAPPINGS = { MALLOC_MMAP_THRESHOLD_: String(PIECE_BYTES / 2), MALLOC_MMAP_MAX_: "1000000" };

const SCRIPT = `
const [pieces, bytes, keptOf] = process.argv.slice(1).map(Number);
const kept = [];
const given = [];
for (let n = 0; n < pieces; n += 1) (n % keptOf === 0 ? kept : given).push(Buffer.alloc(bytes, 1));
for (const { buffer } of given) buffer.transfer(0);
process.stdout.write("ready");
process.stdin.resume().on("end", () => process.exit(kept.length === Math.ceil(pieces / keptOf) ? 0 : 1));
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

  /** Ballast among all memory that can be had now. It takes more than a minute for 20 GB, and the page cache is empty afterwards. */
  static async amongAll(signal: AbortSignal): Promise<Ballast> {
    const pieces = Math.max(0, Math.floor(((await availableBytes()) - LEFT_BYTES) / PIECE_BYTES));
    const args = ["-e", SCRIPT, String(pieces), String(PIECE_BYTES), String(KEPT_OF)];
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

/** Memory that can be had without swapping; 0 where the system does not tell. */
async function availableBytes(): Promise<number> {
  const text = await readFile("/proc/meminfo", "utf8").catch(() => "");
  return Number(/^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
