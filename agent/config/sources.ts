import { createHash } from "node:crypto";
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";

/** What a look at a file found. `mode` has the permission bits. */
export type Look =
  | { state: "read"; bytes: Buffer; mode: number; regular: boolean }
  | { state: "too-large" }
  | { state: "failed"; error: NodeJS.ErrnoException };

/** How a source is looked at again, and what it was. */
interface Noted {
  kind: "file" | "folder";
  digest: string;
  again: () => Promise<string>;
}

/** Where a change of a source shows: under a name in a folder, or under any name when none is given. */
export interface Place {
  folder: string;
  name?: string;
}

/**
 * The files and folders that a config was read from, with a digest of what each held, also of those that were not there. What is noted is
 * what was read, so that no change can slip in between reading and watching.
 */
export class Sources {
  readonly #noted = new Map<string, Noted>();

  get places(): Place[] {
    return [...this.#noted].flatMap(([path, { kind }]): Place[] => {
      const own = { folder: dirname(path), name: basename(path) };
      return kind === "folder" ? [own, { folder: path }] : [own];
    });
  }

  /** What was read, as one text that can be compared. */
  get noted(): string {
    return [...this.#noted.values()].map(({ digest }) => digest).join("\n");
  }

  /** The same of what is there now. Nothing is noted anew. */
  async look(): Promise<string> {
    const digests: string[] = [];
    for (const { again } of this.#noted.values()) digests.push(await again());
    return digests.join("\n");
  }

  /** Reads a file of at most so many bytes. */
  async file(path: string, bytesMax: number): Promise<Look> {
    const look = await readBounded(path, bytesMax);
    this.#noted.set(path, { kind: "file", digest: digestOf(look), again: () => lookAgain(path, bytesMax) });
    return look;
  }

  /** The names in a folder that are wanted, in order. @throws what `readdir` throws */
  async folder(path: string, wanted: (name: string) => boolean): Promise<string[]> {
    const again = () => list(path, wanted).then(digestOfNames, digestOfError);
    try {
      const names = await list(path, wanted);
      this.#noted.set(path, { kind: "folder", digest: digestOfNames(names), again });
      return names;
    } catch (error) {
      this.#noted.set(path, { kind: "folder", digest: digestOfError(error), again });
      throw error;
    }
  }
}

async function readBounded(path: string, bytesMax: number): Promise<Look> {
  try {
    const handle = await open(path, "r");
    try {
      const stats = await handle.stat();
      if (stats.size > bytesMax && stats.isFile()) return { state: "too-large" };
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of handle.createReadStream({ autoClose: false })) {
        size += (chunk as Buffer).length;
        if (size > bytesMax) return { state: "too-large" };
        chunks.push(chunk as Buffer);
      }
      return { state: "read", bytes: Buffer.concat(chunks), mode: stats.mode, regular: stats.isFile() };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { state: "failed", error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** A pipe can be read once only, and would keep us waiting: it counts as unchanged for as long as it is one. */
async function lookAgain(path: string, bytesMax: number): Promise<string> {
  try {
    const stats = await stat(path);
    if (!stats.isFile() && !stats.isDirectory()) return SPECIAL;
  } catch (error) {
    return digestOfError(error);
  }
  return digestOf(await readBounded(path, bytesMax));
}

const SPECIAL = "special";

function digestOf(look: Look): string {
  if (look.state === "too-large") return "too-large";
  if (look.state === "failed") return digestOfError(look.error);
  return look.regular ? createHash("sha256").update(look.bytes).digest("hex") : SPECIAL;
}

const digestOfNames = (names: string[]) => names.join("/");

const digestOfError = (error: unknown) => `error ${error instanceof Error && "code" in error ? String(error.code) : String(error)}`;

async function list(path: string, wanted: (name: string) => boolean): Promise<string[]> {
  return (await readdir(path)).filter(wanted).sort();
}
