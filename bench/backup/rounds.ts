import { execFile } from "node:child_process";
import { lstat, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { RestStore } from "../../agent/backup/repository/stores/rest.ts";
import { FILE_TYPES } from "../../agent/backup/repository/stores/store.ts";
import { type Measured, measured } from "./measured.ts";
import { PASSWORD, type Place, type Tool, UPLOAD_ALONE, uploadStep } from "./tools.ts";

const run = promisify(execFile);

export const STEPS = ["first", "no change", "incremental", "restore"] as const;
export type StepName = (typeof STEPS)[number];

/** One step of one tool: what it took, and how large its repository was afterwards. */
export interface Result extends Measured {
  storedBytes: number;
  /** By how much the repository grew, in bytes. */
  addedBytes: number;
}

export type Round = Map<string, Map<StepName, Result>>;

export interface RoundOptions {
  tools: readonly Tool[];
  /** The last tool goes first at each step. */
  backwards: boolean;
  world: string;
  /** Folder for repositories. */
  folder: string;
  /**
   * Folder for restored trees. None is removed while anything is measured: for some minutes ext4 looks at each inode that was freed lately before it
   * takes it again, which would charge the next tool with 20,000 files of the one before (5 s of CPU time).
   */
  restored: string;
  change: () => Promise<void>;
  /** Addresses of new repositories, one a tool and one more; folders when absent. */
  addresses?: readonly string[];
  signal: AbortSignal;
  say: (line: string) => void;
}

/**
 * One round: each tool backs the world up into a new repository, again with nothing changed, again after a change, and restores. Tools take turns
 * at each step, so that what slows the machine down hits all of them. The page cache is warm: the world was read before.
 */
export async function runRound({
  tools,
  backwards,
  world,
  folder,
  restored,
  change,
  addresses,
  signal,
  say,
}: RoundOptions): Promise<Round> {
  const round: Round = new Map(tools.map(({ name }) => [name, new Map()]));
  const places = new Map<string, Place>();
  await warm(world, signal);
  for (const [index, tool] of tools.entries()) {
    const place: Place = {
      world,
      repository: addresses?.[index] ?? join(folder, `repository-${index}`),
      aside: join(folder, `aside-${index}`),
    };
    places.set(tool.name, place);
    await mkdir(place.aside, { recursive: true });
    await writeFile(join(place.aside, "password"), `${PASSWORD}\n`);
    for (const step of tool.init(place)) await measured(step, signal);
  }
  const step = async (name: StepName, work: (tool: Tool, place: Place) => Promise<Measured>) => {
    for (const tool of backwards ? tools.toReversed() : tools) {
      if (tool.full && name !== "first" && name !== "restore") continue;
      if (name === "restore" && tool.restore === undefined) continue;
      const place = places.get(tool.name) as Place;
      const before = await bytesIn(place.repository);
      // What others wrote does not go to the disk at this one's expense.
      await run("sync", [], { signal });
      const result = await work(tool, place);
      const storedBytes = await bytesIn(place.repository);
      round.get(tool.name)?.set(name, { ...result, storedBytes, addedBytes: storedBytes - before });
      say(`${name}: ${tool.name} ${result.seconds.toFixed(2)} s`);
    }
  };
  await step("first", (tool, place) => measured(tool.backup(place), signal));
  if (addresses !== undefined) await uploadAlone(round, addresses, { signal, say });
  await step("no change", (tool, place) => measured(tool.backup(place), signal));
  await change();
  await warm(world, signal);
  await step("incremental", (tool, place) => measured(tool.backup(place), signal));
  await step("restore", async (tool, place) => {
    const target = join(restored, tool.name);
    await mkdir(target, { recursive: true });
    const restore = tool.restore?.(place, target);
    if (restore === undefined) throw new Error(`${tool.name} restores nothing`);
    return await measured(restore, signal);
  });
  return round;
}

/** As many bytes as the first tool stored, in packs, and nothing else. */
async function uploadAlone(
  round: Round,
  addresses: readonly string[],
  { signal, say }: Pick<RoundOptions, "signal" | "say">,
): Promise<void> {
  const [firsts] = round.values();
  const storedBytes = firsts?.get("first")?.storedBytes;
  const address = addresses[round.size];
  if (storedBytes === undefined || address === undefined) throw new Error("there is nothing to upload, or no place for it");
  const result = await measured(uploadStep(address, storedBytes), signal);
  say(`first: ${UPLOAD_ALONE} ${result.seconds.toFixed(2)} s`);
  round.set(UPLOAD_ALONE, new Map([["first", { ...result, storedBytes, addedBytes: storedBytes }]]));
}

/** Reads every file once. */
async function warm(folder: string, signal: AbortSignal): Promise<void> {
  await run("sh", ["-c", 'find "$1" -type f -exec cat {} + > /dev/null', "sh", folder], { signal });
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  if (folder.startsWith("rest:")) {
    const store = new RestStore(folder.slice("rest:".length));
    for (const type of FILE_TYPES) for await (const file of store.list(type)) bytes += file.bytes;
    return bytes;
  }
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
