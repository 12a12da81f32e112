import { readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod/mini";
import { SandboxError } from "./errors.ts";
import type { KeptCommands } from "./state/commands.ts";
import type { InteractionRecord } from "./state/interactions.ts";
import { isChannel, type World } from "./state/world.ts";
import type { DirectChannel, SandboxMessage, StoredFile } from "./types.ts";

/** The content of an attachment, in base64. */
type KeptFile = Omit<StoredFile, "bytes"> & { base64: string };

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
  interactionsUrl: string | null;
  directs: DirectChannel[];
  files: KeptFile[];
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
  // Files of before 2026-11-23 have none of these.
  interactionsUrl: z._default(z.nullable(z.string()), null),
  directs: z._default(z.array(z.object({ id: z.string(), userId: z.string() })), []),
  files: z._default(z.array(z.looseObject({ id: z.string(), base64: z.string() })), []),
});

/** Bytes of attachments that are kept, newest first: the file is written whole at each change. Links to older ones are dead after a restart. */
export const KEPT_FILES_BYTES_MAX = 4 * 1024 * 1024;

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

/** Fills a new world with a kept one. Guilds may have changed since: what belongs to a place that is gone stays out. */
export function restore(world: World, kept: Kept): void {
  world.commands.restore(kept.commands.filter(({ scope }) => scope === null || world.guilds.some((guild) => guild.id === scope)));
  world.directs.restore(kept.directs);
  world.messages.restore(kept.messages.filter((message) => isChannel(world, message.channel_id)));
  for (const { base64, ...file } of kept.files) world.files.add({ ...file, bytes: new Uint8Array(Buffer.from(base64, "base64")) });
  for (const record of kept.interactions) world.interactions.add(record);
}

/** Keeps a world in a file from now on. */
export function keepWorld(path: string, world: World, seed: number): KeepFile {
  const file = new KeepFile(path, () => ({
    version: 1,
    seed,
    privateKey: world.key.pem,
    botToken: world.botToken,
    lastId: world.ids.next(),
    commands: world.commands.kept(),
    messages: world.messages.all(),
    interactions: world.interactions.all(),
    interactionsUrl: world.interactionsUrl,
    directs: world.directs.all(),
    files: keptFiles(world.files.all()),
  }));
  for (const event of ["message_create", "message_update", "message_delete", "commands_update", "world_update", "interaction"] as const) {
    world.events.on(event, () => file.changed());
  }
  file.changed();
  return file;
}

function keptFiles(files: readonly StoredFile[]): KeptFile[] {
  let room = KEPT_FILES_BYTES_MAX;
  const fitting = files.toReversed().filter(({ bytes }) => {
    const fits = bytes.length <= room;
    if (fits) room -= bytes.length;
    return fits;
  });
  return fitting.toReversed().map(({ bytes, ...file }) => ({ ...file, base64: Buffer.from(bytes).toString("base64") }));
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
