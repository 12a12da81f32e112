import { execFile } from "node:child_process";
import { lstat, mkdir, readdir, writeFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Ballast } from "./ballast.ts";
import { type Measured, measured } from "./measured.ts";
import { PASSWORD, type Place, type Tool } from "./tools.ts";

const run = promisify(execFile);

/** Memory that is free and was touched at each step: what a restore of the world writes and half of that, but never so much that the page cache has to go. */
const FREE_TIMES = 1.5;
const FREE_SHARE = 0.15;

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
  world: string;
  /** Folder for repositories. */
  folder: string;
  /**
   * Folder for restored trees. None is removed while anything is measured: for some minutes ext4 looks at each inode that was freed lately before it
   * takes it again, which would charge the next tool with 20,000 files of the one before (5 s of CPU time).
   */
  restored: string;
  change: () => Promise<void>;
  /** Addresses of new repositories, one a tool; folders when absent. */
  addresses?: readonly string[];
  signal: AbortSignal;
  say: (line: string) => void;
}

/**
 * One round: each tool backs the world up into a new repository, again with nothing changed, again after a change, and restores. Tools take turns
 * at each step, so that what slows the machine down hits all of them. The page cache is warm: the world was read before.
 */
export async function runRound({ tools, world, folder, restored, change, addresses, signal, say }: RoundOptions): Promise<Round> {
  const round: Round = new Map(tools.map(({ name }) => [name, new Map()]));
  const places = new Map<string, Place>();
  await warm(world, signal);
  const memory = Math.min((await bytesIn(world)) * FREE_TIMES, totalmem() * FREE_SHARE);
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
    for (const tool of tools) {
      if (tool.full && name !== "first" && name !== "restore") continue;
      if (name === "restore" && tool.restore === undefined) continue;
      const place = places.get(tool.name) as Place;
      const before = await bytesIn(place.repository);
      // What others wrote does not go to the disk at this one's expense.
      await run("sync", [], { signal });
      const ballast = await Ballast.around(memory, signal);
      const result = await work(tool, place).finally(() => ballast.drop());
      const storedBytes = await bytesIn(place.repository);
      round.get(tool.name)?.set(name, { ...result, storedBytes, addedBytes: storedBytes - before });
      say(`${name}: ${tool.name} ${result.seconds.toFixed(2)} s`);
    }
  };
  await step("first", (tool, place) => measured(tool.backup(place), signal));
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

/** Reads every file once. */
async function warm(folder: string, signal: AbortSignal): Promise<void> {
  await run("sh", ["-c", 'find "$1" -type f -exec cat {} + > /dev/null', "sh", folder], { signal });
}

/** Of what lies at an address nothing is known here. */
async function bytesIn(folder: string): Promise<number> {
  if (folder.startsWith("rest:")) return Number.NaN;
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
