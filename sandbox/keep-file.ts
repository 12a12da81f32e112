import { readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod/mini";
import { SandboxError } from "./errors.ts";
import type { KeptCommands } from "./state/commands.ts";
import type { InteractionRecord } from "./state/interactions.ts";
import type { SandboxMessage } from "./types.ts";

/** What survives a restart. Ids of guilds, channels and members come out the same from the same seed. */
export interface Kept {
  version: 1;
  seed: number;
  privateKey: string;
  botToken: string;
  lastId: string;
  commands: KeptCommands[];
  messages: SandboxMessage[];
  interactions: InteractionRecord[];
}

/** Only the outline: the rest was written by this program. */
const outline = z.object({
  version: z.literal(1),
  seed: z.number(),
  privateKey: z.string(),
  botToken: z.string(),
  lastId: z.string().check(z.regex(/^\d{1,20}$/)),
  commands: z.array(z.object({ scope: z.nullable(z.string()), commands: z.array(z.looseObject({ id: z.string() })) })),
  messages: z.array(z.looseObject({ id: z.string(), channel_id: z.string() })),
  interactions: z.array(z.looseObject({ id: z.string(), token: z.string() })),
});

/** Wait after a change before the file is written, so that a burst writes once. */
const WRITE_DELAY_MS = 300;

/** Reads a kept state; null when there is none yet. @throws SandboxError `bad_keep_file` */
export function readKeepFile(path: string, seed: number): Kept | null {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const parsed = outline.safeParse(parse(content));
  const bad = (why: string) => new SandboxError("bad_keep_file", `${path} ${why}. Delete it to start anew.`);
  if (!parsed.success) throw bad("is not a state that this version of the sandbox wrote");
  if (parsed.data.seed !== seed) throw bad(`was written with the seed ${parsed.data.seed}, not ${seed}`);
  return parsed.data as unknown as Kept;
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

/** Writes the state some time after it changed, and once more at the end. Readable by its owner only, since it holds keys. */
export class KeepFile {
  readonly #path: string;
  readonly #state: () => Kept;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(path: string, state: () => Kept) {
    this.#path = path;
    this.#state = state;
  }

  changed(): void {
    if (this.#closed) return;
    // A write that fails here is not lost: the next change and `close` write the whole state again, and `close` tells.
    this.#timer ??= setTimeout(() => void this.#write().catch(() => undefined), WRITE_DELAY_MS).unref();
  }

  /** @throws the file system's error when the last state could not be written. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#write();
  }

  #write(): Promise<void> {
    this.#timer = null;
    this.#writing = this.#writing
      .catch(() => undefined)
      .then(async () => {
        const partial = `${this.#path}.partial`;
        await mkdir(dirname(this.#path), { recursive: true });
        await writeFile(partial, JSON.stringify(this.#state()), { mode: 0o600 });
        await rename(partial, this.#path);
      });
    return this.#writing;
  }
}
