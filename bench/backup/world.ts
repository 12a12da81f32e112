import { execFile } from "node:child_process";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../../scripts/embedded/worker.ts";

const run = promisify(execFile);

/** Where the generator of worlds lies, unless `--generator` says: it is not part of this repository. */
export const GENERATOR = join(ROOT, "../shared/bench");
/** Bound of making 2 GB, in milliseconds, for each unit of scale. */
const MAKE_MS = 15 * 60_000;

/** A seeded game world; at scale 1 about 2 GB in 20,000 files. The same seed gives the same bytes. */
export async function makeWorld(generator: string, folder: string, scale: number, seed: number, signal: AbortSignal): Promise<void> {
  if (await exists(folder)) return;
  const making = `${folder}.making`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { recursive: true });
  await generate(generator, "generate-world.mjs", [making, String(scale), String(seed)], scale, signal);
  await rename(making, folder);
}

/** Changes about 1 % of it, as an hour of play would. */
export async function changeWorld(generator: string, folder: string, scale: number, seed: number, signal: AbortSignal): Promise<void> {
  await generate(generator, "mutate-world.mjs", [folder, String(seed)], scale, signal);
}

async function generate(generator: string, script: string, args: string[], scale: number, signal: AbortSignal): Promise<void> {
  await run(process.execPath, [join(generator, script), ...args], { timeout: MAKE_MS * Math.max(1, scale), signal });
}

export async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
